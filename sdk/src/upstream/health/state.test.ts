import { describe, expect, it } from 'vitest';
import { CHECK } from './health.fixture.ts';
import { type CheckResult, createHealthState, firstCheckMs, nextCheckMs, type Since, take } from './state.ts';

const RESULTS: Readonly<Record<string, CheckResult>> = {
  '+': { kind: 'ok', isDegraded: false },
  '~': { kind: 'ok', isDegraded: true },
  '-': { kind: 'failed', isRetriable: true, reason: 'refused' },
  '!': { kind: 'failed', isRetriable: false, reason: 'status 500' },
};

/** `h` healthy, `d` degraded, `u` unhealthy after each check. */
function states(results: string, isHealthy = false): string {
  const state = createHealthState(isHealthy);
  return [...results]
    .map((sign) => {
      const result = RESULTS[sign];
      if (result !== undefined) take(state, result, CHECK);
      return state.isHealthy ? (state.isDegraded ? 'd' : 'h') : 'u';
    })
    .join('');
}

describe('thresholds: 3 failures, 2 successes (Envoy HealthCheckerImplBase)', () => {
  it.each([
    { rule: 'the first check of all is enough to be healthy', results: '+', seen: 'h' },
    { rule: 'after a first failure it takes the threshold', results: '-++', seen: 'uuh' },
    { rule: 'failures of the network count up to the threshold', results: '+--+---', seen: 'hhhhhhu' },
    { rule: 'an unexpected answer is believed at once', results: '+!', seen: 'hu' },
    { rule: 'a failure begins the successes anew', results: '+!+-++', seen: 'huuuuh' },
    { rule: 'a host may say that it is degraded', results: '+~+', seen: 'hdh' },
  ])('$rule: $results', ({ results, seen }) => {
    expect(states(results)).toBe(seen);
  });

  it('a host in use keeps being used until the threshold', () => {
    expect(states('---', true)).toBe('hhu');
  });
});

describe('the time to the next check', () => {
  const next = (since: Partial<Since>) =>
    nextCheckMs(CHECK, { isOk: true, transition: 'none', isUsed: true, ...since }, () => 0);

  it.each([
    { rule: 'interval', since: {}, ms: 1_000 },
    { rule: 'unhealthy_interval', since: { isOk: false }, ms: 2_000 },
    { rule: 'healthy_edge_interval', since: { transition: 'pending' }, ms: 300 },
    { rule: 'unhealthy_edge_interval', since: { isOk: false, transition: 'pending' }, ms: 400 },
    { rule: 'no_traffic_interval', since: { isOk: false, isUsed: false }, ms: 60_000 },
    { rule: 'no_traffic_healthy_interval', since: { isUsed: false }, ms: 50_000 },
  ] as const)('$rule', ({ since, ms }) => {
    expect(next(since)).toBe(ms);
  });

  it('jitter is drawn and added: at most so much, and at most so much of the interval', () => {
    const since: Since = { isOk: true, transition: 'none', isUsed: true };
    expect(nextCheckMs({ ...CHECK, intervalJitterMs: 100 }, since, () => 99)).toBe(1_099);
    expect(nextCheckMs({ ...CHECK, intervalJitterMs: 100 }, since, () => 100)).toBe(1_000);
    expect(nextCheckMs({ ...CHECK, intervalJitterPercent: 10 }, since, () => 99)).toBe(1_099);
    expect([firstCheckMs(CHECK, () => 7), firstCheckMs({ ...CHECK, initialJitterMs: 5 }, () => 7)]).toEqual([0, 2]);
  });
});
