import type { Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

/** gRPC `doc/connection-backoff.md`. */
const MULTIPLIER = 1.6;
const JITTER = 0.2;

/**
 * A control plane on the same machine is asked again four times a second: nobody but ourselves pays for a refused loopback
 * connect (about 0.1 ms), who restarts one waits for it in front of the screen, and what registered itself must be back
 * before the next edit. Any other server gets gRPC's back-off, because there a thousand clients may be asking.
 */
export function isLocalServer(server: string): boolean {
  return server.split(',').every((one) => LOCAL.test(one.trim()));
}

const LOCAL =
  /^(?:unix:|in-process|(?:(?:tls|https?|grpcs|dns|ipv4|ipv6):)?\/*(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$))/;

/** Delay before the attempt that follows `failures` streams in a row that delivered nothing; `failures` ≥ 1. */
export function backoffMs(failures: number, isLocal: boolean, random: Random): number {
  const longest = defaultOf(isLocal ? 'backoffLocalMaxMs' : 'backoffMaxMs');
  const plain = Math.min(defaultOf('backoffBaseMs') * MULTIPLIER ** (failures - 1), longest);
  const jitter = 1 - JITTER + (random() / 0x1_0000_0000) * 2 * JITTER;
  return Math.round(plain * jitter);
}
