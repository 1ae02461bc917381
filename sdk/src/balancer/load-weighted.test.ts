import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoadReport, type ReportedWeight, takeReport, usableWeight, weightOf } from './load-weight.ts';
import { createLoadWeighted, peekLoadWeighted, pickLoadWeighted } from './load-weighted.ts';

const RULES = {
  kind: 'load-weighted',
  blackoutMs: 10_000,
  expirationMs: 180_000,
  updateMs: 1_000,
  errorPenalty: 1,
  metricNames: [],
} as const;

const report = (fields: Partial<LoadReport>): LoadReport => ({
  cpu: 0,
  memory: 0,
  application: 0,
  requests: 0,
  errors: 0,
  metrics: new Map(),
  ...fields,
});

describe('the weight of a report (gRFC A58)', () => {
  it.each([
    [{ requests: 100, cpu: 0.5 }, 200],
    [{ requests: 100, cpu: 0.5, application: 0.25 }, 400],
    [{ requests: 100, cpu: 0.5, errors: 50 }, 100],
    [{ requests: 100, cpu: 2 }, 50],
    [{ requests: 0, cpu: 0.5 }, undefined],
    [{ requests: 100 }, undefined],
    [{ requests: 100, memory: 0.5 }, undefined],
    [{ requests: Number.MAX_VALUE, cpu: Number.MIN_VALUE }, undefined],
  ])('%j: %s', (fields, weight) => {
    expect(weightOf(report(fields), RULES)).toBe(weight);
  });

  it('takes the error penalty of the policy', () => {
    const failing = report({ requests: 100, cpu: 0.5, errors: 50 });
    expect(weightOf(failing, { ...RULES, errorPenalty: 0 })).toBe(200);
    expect(weightOf(failing, { ...RULES, errorPenalty: 3 })).toBe(50);
  });

  it.each([
    [['named_metrics.queue'], 50],
    [['named_metrics.queue', 'utilization.disk'], 25],
    [['utilization.*'], 25],
    [['mem_utilization'], 125],
    [['named_metrics.other'], 1_000],
    [['cpu_utilization', 'mem_utilization'], 125],
  ])('takes the highest of the metrics %j in the place of the CPU', (metricNames, weight) => {
    const metrics = new Map([
      ['named_metrics.queue', 2],
      ['utilization.disk', 4],
      ['utilization.other', 1],
    ]);
    const full = { requests: 100, cpu: 0.1, memory: 0.8, metrics };
    expect(weightOf(report(full), { ...RULES, metricNames })).toBe(weight);
    // The application's own figure comes before all of them.
    expect(weightOf(report({ ...full, application: 1 }), { ...RULES, metricNames })).toBe(100);
  });
});

describe('when a weight counts', () => {
  const take = (known: ReportedWeight | undefined, nowMs: number) =>
    takeReport(known, report({ requests: 100, cpu: 1 }), RULES, nowMs);

  it('after the blackout, until it expires; then the blackout begins anew', () => {
    const first = take(undefined, 1_000);
    expect(usableWeight(first, RULES, 10_999)).toBe(0);
    expect(usableWeight(first, RULES, 11_000)).toBe(100);
    expect(usableWeight(first, RULES, 180_999)).toBe(100);
    expect(usableWeight(first, RULES, 181_000)).toBe(0);
    const again = take(first, 200_000);
    expect(usableWeight(again, RULES, 209_999)).toBe(0);
    expect(usableWeight(again, RULES, 210_000)).toBe(100);
  });

  it('is not changed by a report that says nothing, nor is that one a sign of life', () => {
    const first = take(undefined, 0);
    const after = takeReport(first, report({ cpu: 1 }), RULES, 100_000);
    expect(after).toEqual({ weight: 100, lastMs: 0, sinceMs: 0 });
    expect(takeReport(undefined, report({}), RULES, 0)).toBeUndefined();
  });
});

const hostsWith = (...weights: (number | undefined)[]) =>
  weights.map((weight) => ({
    weight: 1,
    healthySinceMs: 0,
    reported: weight === undefined ? undefined : { weight, lastMs: 0, sinceMs: 0 },
  }));

describe('weighted round robin', () => {
  const count = (state: ReturnType<typeof createLoadWeighted>, hosts: ReturnType<typeof hostsWith>, nowMs: number) => {
    const counts = hosts.map(() => 0);
    for (let i = 0; i < 1_200; i++) {
      const index = pickLoadWeighted(state, hosts, nowMs);
      counts[index] = (counts[index] ?? 0) + 1;
    }
    return counts.map((one) => Math.round(one / 100));
  };

  it('is round robin as long as nobody, or only one, has a weight', () => {
    for (const hosts of [hostsWith(undefined, undefined, undefined), hostsWith(9, undefined, undefined)]) {
      const state = createLoadWeighted(hosts, RULES, { seed: 7, nowMs: 20_000 });
      expect(count(state, hosts, 20_000)).toEqual([4, 4, 4]);
    }
  });

  it('goes by weights once they count', () => {
    const hosts = hostsWith(1, 2, 3);
    const state = createLoadWeighted(hosts, RULES, { seed: 0, nowMs: 5_000 });
    expect(count(state, hosts, 5_000)).toEqual([4, 4, 4]);
    expect(count(state, hosts, 10_000)).toEqual([2, 4, 6]);
  });

  it('reckons anew after the update period, not before', () => {
    const hosts = hostsWith(1, 1);
    const state = createLoadWeighted(hosts, RULES, { seed: 0, nowMs: 20_000 });
    const [first] = hosts;
    if (first?.reported) first.reported.weight = 3;
    expect(count(state, hosts, 20_999)).toEqual([6, 6]);
    expect(count(state, hosts, 21_000)).toEqual([9, 3]);
  });

  it('lets a new host start slowly', () => {
    const hosts = hostsWith(2, 2);
    const [, second] = hosts;
    if (second !== undefined) second.healthySinceMs = 20_000;
    const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };
    const state = createLoadWeighted(hosts, { ...RULES, slowStart }, { seed: 0, nowMs: 25_000 });
    expect(count(state, hosts, 25_000)).toEqual([8, 4]);
    expect(count(state, hosts, 30_000)).toEqual([6, 6]);
  });

  it('peeks at who is next and changes nothing', () => {
    const weight = fc.option(fc.double({ min: 0.01, max: 100, noNaN: true }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(weight, { maxLength: 6 }), fc.nat(), (weights, seed) => {
        const hosts = hostsWith(...weights);
        const state = createLoadWeighted(hosts, RULES, { seed, nowMs: 50_000 });
        for (let i = 0; i < 20; i++) {
          const next = peekLoadWeighted(state, hosts);
          expect(peekLoadWeighted(state, hosts)).toBe(next);
          expect(pickLoadWeighted(state, hosts, 50_000)).toBe(next);
        }
      }),
    );
  });
});
