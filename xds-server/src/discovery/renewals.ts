import type { Clock, Timer } from '@inmesh/sdk/internal/clock';

export interface Renewals {
  close(): void;
}

/** Two of them may be lost, or late, before what they renew is dropped. */
const PER_TTL = 3;

/** Says again and again that it is time to renew what lives for `ttlMs`. */
export function startRenewals(clock: Clock, ttlMs: number, renew: () => void): Renewals {
  let timer: Timer;
  const wait = (): void => {
    timer = clock.after(ttlMs / PER_TTL, () => {
      renew();
      wait();
    });
  };
  wait();
  return { close: () => timer.cancel() };
}
