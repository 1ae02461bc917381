import type { Random } from '../../clock.ts';
import { headerValue } from '../../match/headers.ts';
import type { RateLimitedBackOff, RetryPolicy } from '../../model/action.ts';
import type { HeaderList } from '../../model/headers.ts';

/**
 * Envoy JitteredExponentialBackOffStrategy: before retry `n` (from 0) anything from nothing to base × 2ⁿ, at most the
 * maximum.
 */
export function backOffMs(
  policy: Pick<RetryPolicy, 'baseIntervalMs' | 'maxIntervalMs'>,
  n: number,
  random: Random,
): number {
  const { baseIntervalMs, maxIntervalMs } = policy;
  const longest = Math.min(baseIntervalMs * 2 ** Math.min(n, 30), maxIntervalMs);
  return (random() / 2 ** 32) * longest;
}

/** Envoy RateLimitedRetryBackOff: what the answer asks for, up to half as much again; undefined: it asks for nothing. */
export function rateLimitedMs(
  { headers: reset, maxIntervalMs }: RateLimitedBackOff,
  headers: HeaderList,
  { wallTimeMs, random }: { readonly wallTimeMs: number; readonly random: Random },
): number | undefined {
  for (const { name, format } of reset) {
    const value = headerValue(headers, name);
    if (value === undefined || !/^\d{1,15}$/.test(value)) continue;
    const ms = format === 'seconds' ? Number(value) * 1_000 : Number(value) * 1_000 - wallTimeMs;
    if (ms <= 0 || ms > maxIntervalMs) continue;
    return ms + (random() / 2 ** 32) * (ms / 2);
  }
  return undefined;
}
