// Builds the publishable packages and packs them into packages/ or the folder given: what `npm publish FILE.tgz` takes.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { PACKAGES, stagePackages } from './stage.ts';

const folder = path.resolve(process.argv[2] ?? 'packages');
const staging = mkdtempSync(path.join(tmpdir(), 'inmesh-pack-'));
await stagePackages(staging);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const name of PACKAGES) {
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const { status } = spawnSync('npm', args, {
    cwd: path.join(staging, name),
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}
rmSync(staging, { recursive: true, force: true });
process.stdout.write(`packed into ${folder}\n`);
