import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Svid } from './identity.ts';

/**
 * How long a certificate that has just come may be used, ms, or why it may not. One whose time has not begun yet is used when
 * it is a matter of minutes: then it is this clock that is slow, and the peers' clocks decide. Of a slow clock no more than the
 * certificate's whole life is taken.
 */
export function lifeLeftMs({ id, notBeforeMs, notAfterMs }: Svid, clock: Clock): number | string {
  const nowMs = clock.wallTime();
  if (notAfterMs <= nowMs) {
    return `the certificate of ${id.uri} expired at ${time(notAfterMs)}; by this process's clock it is ${time(nowMs)}`;
  }
  if (notBeforeMs > nowMs + defaultOf('certificateSkewMs')) {
    return `the certificate of ${id.uri} is valid from ${time(notBeforeMs)} on; by this process's clock it is ${time(nowMs)}`;
  }
  return Math.min(notAfterMs - nowMs, notAfterMs - notBeforeMs);
}

const time = (ms: number): string => new Date(ms).toISOString();
