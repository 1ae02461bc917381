import { describe, expect, it } from 'vitest';
import type { ClusterConfig } from '../model/target.ts';
import { isGoodOutcome, LoadTally } from './load-tally.ts';
import type { Outcome, Pick } from './pick.ts';
import type { UpstreamDeps } from './types.ts';
import { createUpstream } from './upstream.ts';

const configOf = (): ClusterConfig => ({
  cluster: {
    name: 'c',
    discovery: { kind: 'eds', serviceName: 'service' },
    connectTimeoutMs: 1_000,
    loadBalancer: { kind: 'round-robin' },
    panicThreshold: 0,
    localityWeighted: false,
    reportsLoads: true,
    circuitBreakers: { default: {}, high: {} },
    http2: false,
  },
  assignment: {
    clusterName: 'c',
    overprovisioningFactor: 140,
    localities: ['x', 'y'].map((zone) => ({
      locality: { region: 'r', zone, subZone: '' },
      priority: 0,
      weight: 1,
      endpoints: [{ address: '10.0.0.1', port: zone === 'x' ? 1 : 2, health: 'healthy', weight: 1 }],
    })),
  },
});

/** Nobody wants to hear of it. */
function quietConfig(): ClusterConfig {
  const { cluster, assignment } = configOf();
  const { reportsLoads: _, ...quiet } = cluster;
  return { cluster: quiet, assignment };
}

function open(config = configOf()) {
  const tally = new LoadTally();
  const opened: string[] = [];
  const deps: UpstreamDeps = {
    clock: { now: () => 0, wallTime: () => 0, after: () => ({ cancel: () => {} }) },
    random: () => 0,
    emit: () => {},
    loads: {
      open(cluster, serviceName) {
        opened.push(`${cluster} ${serviceName}`);
        return tally;
      },
      close: (cluster) => opened.push(`closed ${cluster}`),
    },
  };
  const upstream = createUpstream(config, deps);
  const pick = (): Pick => {
    const found = upstream.pick({});
    if (found.kind !== 'pick') throw new Error(found.reason);
    return found;
  };
  const call = (...outcomes: readonly Outcome[]): void => {
    const one = pick();
    one.connected();
    for (const outcome of outcomes) one.outcome(outcome);
    one.release();
  };
  const sums = () => {
    const counts = tally.take()?.localities ?? [];
    const sum = (of: 'issued' | 'succeeded' | 'failed' | 'inProgress') => counts.reduce((all, one) => all + one[of], 0);
    return [sum('issued'), sum('succeeded'), sum('failed'), sum('inProgress')];
  };
  return { upstream, tally, opened, pick, call, sums };
}

describe('the loads of a cluster', () => {
  it('are those of each locality, from one report to the next', () => {
    const { tally, call } = open();
    for (let calls = 0; calls < 4; calls++) call({ status: 200 });
    const quiet = { failed: 0, inProgress: 0, priority: 0 };
    expect(tally.take()?.localities).toEqual([
      expect.objectContaining({ ...quiet, locality: { region: 'r', zone: 'x', subZone: '' }, issued: 2, succeeded: 2 }),
      expect.objectContaining({ ...quiet, locality: { region: 'r', zone: 'y', subZone: '' }, issued: 2, succeeded: 2 }),
    ]);
    expect(tally.take()).toBeUndefined();
  });

  it('requests under way are told of each time, and counted once when they end', () => {
    const { pick, sums } = open();
    const one = pick();
    one.connected();
    expect(sums()).toEqual([1, 0, 0, 1]);
    expect(sums()).toEqual([0, 0, 0, 1]);
    one.outcome({ status: 200 });
    one.release();
    one.release();
    expect(sums()).toEqual([0, 1, 0, 0]);
  });

  it('what had no connection is none of them; one that is taken up again on another is one', () => {
    const { pick, sums } = open();
    const failed = pick();
    failed.outcome({ error: 'connect' });
    failed.release();
    expect(sums()).toEqual([0, 0, 0, 0]);
    const twice = pick();
    twice.connected();
    twice.connected();
    twice.outcome({ status: 200 });
    twice.release();
    expect(sums()).toEqual([1, 1, 0, 0]);
  });

  it.each<[string, readonly Outcome[], boolean]>([
    ['an answer', [{ status: 200 }], true],
    ['an error of the client', [{ status: 404 }], true],
    ['an error of the server', [{ status: 503 }], false],
    ['gRPC’s OK', [{ status: 200, grpcStatus: 0 }], true],
    ['any other status of gRPC', [{ status: 200, grpcStatus: 5 }], false],
    ['a body that breaks off', [{ status: 200 }, { error: 'reset' }], false],
    ['no answer', [{ error: 'timeout' }], false],
    ['a call that was given up', [{}], false],
  ])('%s', (_, outcomes, isGood) => {
    const { call, sums } = open();
    call(...outcomes);
    expect(sums()).toEqual(isGood ? [1, 1, 0, 0] : [1, 0, 1, 0]);
    const [first = {}] = outcomes;
    if (outcomes.length === 1 && Object.keys(first).length > 0) expect(isGoodOutcome(first)).toBe(isGood);
  });

  it('a connection that is all there is is good unless it ends in an error', () => {
    const { pick, sums } = open();
    const one = pick();
    one.connected(true);
    one.release();
    expect(sums()).toEqual([1, 1, 0, 0]);
  });

  it('drops are counted by category', () => {
    const { upstream, tally } = open();
    upstream.dropped('much');
    upstream.dropped('much');
    upstream.dropped('more');
    expect([...(tally.take()?.drops ?? [])]).toEqual([
      ['much', 2],
      ['more', 1],
    ]);
    expect(tally.take()).toBeUndefined();
  });

  it('named metrics of answers are added up (gRFC A64)', () => {
    const { tally, pick } = open();
    const plain = { cpu: 0, memory: 0, application: 0, requests: 0, errors: 0 };
    const one = pick();
    one.connected();
    one.reported({
      ...plain,
      metrics: new Map([
        ['named_metrics.queue', 3],
        ['cpu_utilization', 1],
      ]),
    });
    one.reported({ ...plain, metrics: new Map([['named_metrics.queue', 4]]) });
    expect([...(tally.take()?.localities[0]?.metrics ?? [])]).toEqual([['queue', { answers: 2, total: 7 }]]);
  });

  it('are counted as long as the cluster asks for it', () => {
    const { upstream, opened, call, sums } = open(quietConfig());
    call({ status: 200 });
    expect([opened, sums()]).toEqual([[], [0, 0, 0, 0]]);
    upstream.update(configOf());
    call({ status: 200 });
    expect([opened, sums()]).toEqual([['c service'], [1, 1, 0, 0]]);
    upstream.update(configOf());
    upstream.close();
    expect(opened).toEqual(['c service', 'closed c']);
  });
});
