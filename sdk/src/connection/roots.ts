import { readFileSync, statSync } from 'node:fs';
import type { SecureContext } from 'node:tls';

interface Roots {
  readonly stamp: string;
  readonly context: SecureContext;
}

const read = new Map<string, Roots>();

/** The CA certificates of a file as they are now: a file that was replaced counts from the next connection on. */
export function rootsIn(file: string): SecureContext {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    const known = read.get(file);
    if (known?.stamp === stamp) return known.context;
    const ca = readFileSync(file, 'utf8');
    // Without one nobody could be verified; OpenSSL would not mind.
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('there is no PEM certificate in it');
    const context = process.getBuiltinModule('node:tls').createSecureContext({ ca });
    read.set(file, { stamp, context });
    return context;
  } catch (error) {
    throw new Error(`CA certificates ${file}: ${error instanceof Error ? error.message : error}`);
  }
}
