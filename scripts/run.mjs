// The one launcher behind `npm start` and `npm test`: works on Node 20 with nothing installed, then hands over to Node 24.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const bin = (name, file) => path.join('node_modules', name, file);
const COMMANDS = {
  start: [['examples/bookinfo/start.ts']],
  test: [[bin('vitest', 'vitest.mjs'), 'run']],
  bench: [['test/bench/run.ts']],
  fuzz: [['test/fuzz/run.ts']],
  soak: [['test/soak/run.ts']],
  interop: [[bin('vitest', 'vitest.mjs'), 'run', '--config', 'test/interop/vitest.config.ts']],
  packaging: [[bin('vitest', 'vitest.mjs'), 'run', '--config', 'test/packaging/vitest.config.ts']],
  generate: [['scripts/generate-proto.mjs']],
  pack: [['scripts/pack.mjs']],
  docs: [['scripts/generate-docs.ts']],
  typecheck: [
    [bin('typescript', 'bin/tsc'), '-p', 'tsconfig.json'],
    [bin('typescript', 'bin/tsc'), '-p', 'test/tsconfig.json'],
  ],
  lint: [[bin('@biomejs/biome', 'bin/biome'), 'check', '--error-on-warnings'], [bin('knip', 'bin/knip.js')]],
};

/**
 * Installs when the lockfile is another one than node_modules was made from; scripts of dependencies never run. `install`, not `ci`:
 * a lockfile made on one platform may lack the native packages of another, which `ci` refuses.
 */
function install() {
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  const stamp = path.join('node_modules', '.inmesh-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('installing dependencies (once)…\n');
  const npm = process.env.npm_execpath;
  const args = ['install', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { stdio: ['ignore', 2, 2] })
    : spawnSync('npm', args, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (done.status !== 0) {
    process.stderr.write('npm install failed; its messages are above\n');
    process.exit(done.status ?? 1);
  }
  mkdirSync('node_modules', { recursive: true });
  writeFileSync(stamp, lock);
}

/** Node 24 from its script-free platform package; the running Node where it is new enough and none fits the platform. */
function findNode() {
  const require = createRequire(path.join(root, 'package.json'));
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const folder = path.dirname(require.resolve(`${name}/package.json`));
      const file = path.join(folder, 'bin', platform === 'win' ? 'node.exe' : 'node');
      if (existsSync(file)) return file;
    } catch {}
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  process.stderr.write(
    `no Node 24 package exists for ${process.platform}-${process.arch}: run with Node 22.19 or newer\n`,
  );
  process.exit(1);
}

function run(node, args) {
  // A demo whose launcher was killed must not live on: it watches this channel.
  const watched = args[0] === COMMANDS.start[0][0];
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };
    const child = spawn(node, ['--conditions=source', '--disable-warning=ExperimentalWarning', ...args], {
      stdio: ['inherit', 'inherit', 'inherit', ...(watched ? ['ipc'] : [])],
      env,
    });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(signal ? 128 : (code ?? 1));
    });
  });
}

const [command, ...rest] = process.argv.slice(2);
const steps = COMMANDS[command];
if (!steps) {
  process.stderr.write(`unknown command "${command}": one of ${Object.keys(COMMANDS).join(', ')}\n`);
  process.exit(2);
}
if (!existsSync('package-lock.json') || readdirSync('.').length === 0) {
  process.stderr.write('package-lock.json is missing: this is not a whole checkout\n');
  process.exit(2);
}
install();
const node = findNode();
for (const [index, step] of steps.entries()) {
  const native = step[0].includes('biome');
  const args = index === 0 && !native ? [...step, ...rest] : step;
  const code = await run(node, args);
  if (code !== 0) process.exit(code);
}
