// Builds the publishable packages and packs them into packages/ or the folder given: what `npm publish FILE.tgz` takes.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

const PACKAGES = ['sdk', 'xds-server'];
const folder = path.resolve(process.argv[2] ?? 'packages');

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}

/** `source` is the workspace's own condition: Node strips no types below node_modules, and other tools read it as theirs. */
function withoutSources(exported) {
  if (typeof exported !== 'object') return exported;
  const kept = Object.entries(exported).filter(([condition]) => condition !== 'source');
  return Object.fromEntries(kept.map(([name, target]) => [name, withoutSources(target)]));
}

/** The package as it is published: what `files` names, the licence, and an `exports` of built files only. */
function stage(name, target) {
  const manifest = JSON.parse(readFileSync(path.join(name, 'package.json'), 'utf8'));
  for (const part of manifest.files) cpSync(path.join(name, part), path.join(target, part), { recursive: true });
  for (const page of ['LICENSE', 'README.md']) {
    cpSync(existsSync(path.join(name, page)) ? path.join(name, page) : page, path.join(target, page));
  }
  rmSync(path.join(target, 'dist', '.tsbuildinfo'));
  const published = { ...manifest, exports: withoutSources(manifest.exports) };
  writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

for (const name of PACKAGES) rmSync(path.join(name, 'dist'), { recursive: true, force: true });
const projects = PACKAGES.map((name) => path.join(name, 'tsconfig.build.json'));
run(process.execPath, [path.join('node_modules', 'typescript', 'bin', 'tsc'), '-b', '--force', ...projects]);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const staging = mkdtempSync(path.join(tmpdir(), 'inmesh-pack-'));
for (const name of PACKAGES) {
  const target = path.join(staging, name);
  mkdirSync(target);
  stage(name, target);
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], target);
}
rmSync(staging, { recursive: true, force: true });
process.stdout.write(`packed into ${folder}\n`);
