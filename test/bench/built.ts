import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stagePackages } from '../../scripts/stage.ts';

const MODULES = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../node_modules');

export interface Built {
  /** Where programs `import '@inmesh/sdk'`. */
  readonly folder: string;
  remove(): void;
}

/** The SDK as it is published, beside its dependencies and `others`. */
export async function installSdk(others: readonly string[]): Promise<Built> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bench-'));
  await stagePackages(path.join(folder, 'staged'));
  const sdk = path.join(folder, 'node_modules/@inmesh/sdk');
  mkdirSync(path.dirname(sdk), { recursive: true });
  renameSync(path.join(folder, 'staged/sdk'), sdk);
  const { dependencies } = JSON.parse(readFileSync(path.join(sdk, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), ...others]) {
    const link = path.join(folder, 'node_modules', name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.join(MODULES, name), link, 'junction');
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
