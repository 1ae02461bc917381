import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Beside the CA's files; whoever reads it can be any workload of the mesh. */
export const TOKEN_KEY_FILE = 'bootstrap-token.key';

export const newTokenKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** The key that signs bootstrap tokens, made where there is none. Two processes that start at once end up with the same one. */
export function loadOrCreateTokenKey(directory: string): KeyObject {
  const file = path.join(directory, TOKEN_KEY_FILE);
  const known = loadTokenKey(directory);
  if (known !== undefined) return known;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, newTokenKey().export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(fresh, file);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return loadTokenKey(directory) ?? createPrivateKey(readFileSync(file));
}

/** undefined where the directory has none. */
export function loadTokenKey(directory: string): KeyObject | undefined {
  const file = path.join(directory, TOKEN_KEY_FILE);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  // Windows has no such bits.
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
    throw new Error(`${file}: mode ${(found.mode & 0o777).toString(8)}, others than its owner may read it; want 600`);
  try {
    const key = createPrivateKey(readFileSync(file));
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch (error) {
    // What OpenSSL says may quote the file.
    throw new Error(`${file}: not a private key in PEM${isCode(error, 'EACCES') ? ' that this process may read' : ''}`);
  }
  throw new Error(`${file}: want an EC key on the curve P-256`);
}

const isCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
