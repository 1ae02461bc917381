import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock, type Timer } from '@inmesh/sdk/internal/clock';
import { createBootstrapTokens } from '../auth/bootstrap-token.ts';
import { loadTokenKey } from '../auth/token-key.ts';
import { defaultOf } from '../defaults.ts';
import { hostOf, isLoopback } from '../loopback.ts';

export interface ProcessTokenParts {
  /** The CA's. */
  readonly directory: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly clock?: Clock;
}

/** A token in a file that stays good for as long as this process lives. */
export interface ProcessToken {
  readonly file: string;
  close(): void;
}

const HALF = 0.5;

/** Mints a token for a program, again and again; undefined where there is no CA in the directory. Only its owner may read the file. */
export async function createProcessToken(parts: ProcessTokenParts): Promise<ProcessToken | undefined> {
  const { directory, namespace, serviceAccount, clock = systemClock } = parts;
  const key = loadTokenKey(directory);
  if (key === undefined) return undefined;
  const tokens = createBootstrapTokens({ key, trustDomain: '', clock });
  const ttlMs = defaultOf('tokenMs');
  const first = await tokens.mint({ namespace, serviceAccount, ttlMs });
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-token-'));
  const file = path.join(folder, 'token');
  let timer: Timer | undefined;
  const write = (token: string): void => {
    // Whoever reads it at that moment reads the old one or the new one.
    writeFileSync(`${file}.new`, token, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  const renew = (): void => {
    timer = clock.after(ttlMs * HALF, () => {
      tokens.mint({ namespace, serviceAccount, ttlMs }).then(write, () => {});
      renew();
    });
  };
  write(first);
  renew();
  return {
    file,
    close() {
      timer?.cancel();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A token is not for plain text that leaves this machine. */
export const mayCarryToken = (xds: string): boolean =>
  xds.startsWith('tls://') || xds.startsWith('unix:') || isLoopback(hostOf(xds));
