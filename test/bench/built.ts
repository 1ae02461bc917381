import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

export interface Built {
  /** Holds `sdk/src` and `test/harness` as JavaScript. */
  readonly folder: string;
  remove(): void;
}

/** The SDK as it is published: what a user loads has no types to be stripped. */
export function buildSdk(): Built {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bench-'));
  for (const part of ['sdk/src', 'test/harness']) convert(path.join(ROOT, part), path.join(folder, part));
  symlinkSync(path.join(ROOT, 'sdk/gen'), path.join(folder, 'sdk/gen'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function convert(from: string, to: string): void {
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts') || file.endsWith('.test.ts')) continue;
    const target = path.join(to, file.replace(/\.ts$/, '.js'));
    mkdirSync(path.dirname(target), { recursive: true });
    const code = stripTypeScriptTypes(readFileSync(path.join(from, file), 'utf8'));
    writeFileSync(target, code.replace(/((?:from|import)\s*\(?\s*'\.[^']*)\.ts'/g, "$1.js'"));
  }
}
