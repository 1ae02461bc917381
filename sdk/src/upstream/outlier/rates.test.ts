import { describe, expect, it } from 'vitest';
import { RULES } from './outlier.fixture.ts';
import { suspectsByRate } from './rates.ts';

const rates = (...percents: readonly number[]) => percents.map((good, of) => ({ of, total: 100, good }));

describe('success rate (Envoy DetectorImpl::successRateEjectionThreshold)', () => {
  it('its own example: 50 among four at 100 % is below 90 − 1.9 × 20 = 52, 53 would not be', () => {
    expect(suspectsByRate(rates(50, 100, 100, 100, 100), 5, 'external', RULES)).toEqual([
      { of: 0, reason: 'success-rate', successPercent: 50 },
    ]);
    const wide = { ...RULES, successRate: { ...RULES.successRate, stdevFactor: 2_000 } };
    expect(suspectsByRate(rates(50, 100, 100, 100, 100), 5, 'external', wide)).toEqual([]);
  });

  it('too few hosts with enough requests: nobody is compared', () => {
    expect(suspectsByRate(rates(50, 100, 100, 100), 4, 'external', RULES)).toEqual([]);
    const [first, ...rest] = rates(50, 100, 100, 100, 100);
    const quiet = { of: 0, total: 99, good: 0 };
    expect(first && suspectsByRate([quiet, ...rest], 5, 'external', RULES)).toEqual([
      { of: 0, reason: 'failure-percentage', successPercent: 0 },
    ]);
  });

  it('connections are compared by themselves', () => {
    expect(suspectsByRate(rates(50, 100, 100, 100, 100), 5, 'local', RULES)).toMatchObject([
      { reason: 'success-rate-local-origin' },
    ]);
  });
});

describe('failure percentage', () => {
  it('the threshold itself is too much', () => {
    const only = { ...RULES, successRate: { ...RULES.successRate, minimumHosts: 100 } };
    const suspects = suspectsByRate(rates(15, 16, 100, 100, 100), 5, 'external', only);
    expect(suspects).toEqual([{ of: 0, reason: 'failure-percentage', successPercent: 15 }]);
  });
});
