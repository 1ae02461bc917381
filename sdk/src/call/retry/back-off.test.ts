import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backOffMs, rateLimitedMs } from './back-off.ts';

const LARGEST = 2 ** 32 - 1;
const policy = { baseIntervalMs: 25, maxIntervalMs: 250 };

describe('back-off', () => {
  it('is anything up to base × 2ⁿ, at most the maximum (full jitter)', () => {
    const longest = [0, 1, 2, 3, 4, 50].map((n) => Math.round(backOffMs(policy, n, () => LARGEST)));
    expect(longest).toEqual([25, 50, 100, 200, 250, 250]);
    expect(backOffMs(policy, 3, () => 0)).toBe(0);
  });

  it('is never negative, never above the maximum', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(LARGEST), (n, draw) => {
        const ms = backOffMs(policy, n, () => draw);
        return ms >= 0 && ms <= 250;
      }),
    );
  });
});

describe('what an answer asks for (Envoy RateLimitedRetryBackOff)', () => {
  const limited = {
    headers: [
      { name: 'retry-after', format: 'seconds' },
      { name: 'x-ratelimit-reset', format: 'unix-timestamp' },
    ],
    maxIntervalMs: 60_000,
  } as const;
  const at = { wallTimeMs: 1_000_000, random: () => 0 };

  it.each([
    [['retry-after', '2'], 2_000],
    [['x-ratelimit-reset', '1003'], 3_000],
    [['retry-after', '2', 'x-ratelimit-reset', '1003'], 2_000],
    // Not usable: the next header's turn.
    [['retry-after', 'soon', 'x-ratelimit-reset', '1003'], 3_000],
    [['retry-after', '61'], undefined],
    [['x-ratelimit-reset', '999'], undefined],
    [['retry-after', '31536000'], undefined],
    [[], undefined],
  ])('%j: %s ms', (headers, ms) => {
    expect(rateLimitedMs(limited, headers, at)).toBe(ms);
  });

  it('is never shorter, and at most half as long again', () => {
    const ms = rateLimitedMs(limited, ['retry-after', '2'], { ...at, random: () => LARGEST });
    expect(Math.round(ms ?? 0)).toBe(3_000);
  });
});
