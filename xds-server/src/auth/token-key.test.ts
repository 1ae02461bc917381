import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadOrCreateTokenKey, loadTokenKey, TOKEN_KEY_FILE } from './token-key.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-token-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('makes a key once, only its owner may read it, and nothing else is left behind', () => {
  const directory = path.join(folder, 'ca');
  const first = loadOrCreateTokenKey(directory);
  expect(loadOrCreateTokenKey(directory).equals(first)).toBe(true);
  expect(readdirSync(directory)).toEqual([TOKEN_KEY_FILE]);
  if (process.platform === 'win32') return;
  expect(statSync(path.join(directory, TOKEN_KEY_FILE)).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

it('has none where none was made', () => {
  expect(loadTokenKey(folder)).toBeUndefined();
});

it.skipIf(process.platform === 'win32')('takes no key that others may read', () => {
  loadOrCreateTokenKey(folder);
  chmodSync(path.join(folder, TOKEN_KEY_FILE), 0o644);
  expect(() => loadTokenKey(folder)).toThrow(/mode 644.*want 600/);
});

it('says of a file that is no key where it is, not what is in it', () => {
  writeFileSync(path.join(folder, TOKEN_KEY_FILE), 'hunter2', { mode: 0o600 });
  expect(() => loadTokenKey(folder)).toThrow(/bootstrap-token\.key: not a private key in PEM$/);
});
