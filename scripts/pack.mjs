// Builds the publishable packages and packs them into packages/, as `npm publish` would.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const PACKAGES = ['sdk', 'xds-server'];
const folder = path.resolve('packages');

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const name of PACKAGES) {
  rmSync(path.join(name, 'dist'), { recursive: true, force: true });
  run(process.execPath, [
    path.join('node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    path.join(name, 'tsconfig.build.json'),
  ]);
  run('npm', ['pack', '--silent', '--ignore-scripts', '--workspace', name, '--pack-destination', folder]);
}
process.stdout.write(`packed into ${folder}\n`);
