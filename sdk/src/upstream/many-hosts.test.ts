import { describe, expect, it } from 'vitest';
import type { Cluster, Health } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import { createUpstream } from './upstream.ts';

/** Runs with every look at it: every step is a slice of its own. */
function hurriedClock() {
  let time = 0;
  return { now: () => (time += 3), wallTime: () => 0, after: () => ({ cancel: () => {} }) };
}

const CLUSTER: Cluster = {
  name: 'c',
  discovery: { kind: 'eds', serviceName: 'c' },
  connectTimeoutMs: 1_000,
  loadBalancer: { kind: 'round-robin' },
  panicThreshold: 0,
  localityWeighted: false,
  circuitBreakers: { default: {}, high: {} },
  http2: false,
};

function configOf(ports: readonly number[], health: Health = 'healthy'): ClusterConfig {
  const endpoints = ports.map((port) => ({ address: '10.0.0.1', port, health, weight: 1 }));
  const localities = [{ locality: { region: '', zone: '', subZone: '' }, priority: 0, weight: 1, endpoints }];
  return { cluster: CLUSTER, assignment: { clusterName: 'c', overprovisioningFactor: 140, localities } };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

function create(config: ClusterConfig) {
  const told = { hosts: 0 };
  const clock = hurriedClock();
  const onHostsChanged = () => told.hosts++;
  const upstream = createUpstream(config, { clock, random: () => 0, emit: () => {}, onHostsChanged });
  return { told, upstream };
}

describe('an upstream with many hosts', () => {
  it('takes an update in slices; the hosts before serve meanwhile, those that stay keep their counters', async () => {
    const { told, upstream } = create(configOf(range(1, 3_001)));
    expect(upstream.pick({})).toMatchObject({ kind: 'failure', reason: expect.stringContaining('being built') });
    await upstream.prepare();
    const held = upstream.pick({});
    if (held.kind === 'failure') throw new Error(held.reason);
    upstream.update(configOf(range(1, 2_001).reverse()));
    expect(upstream.hosts()).toHaveLength(3_000);
    expect(upstream.pick({}).kind).toBe('pick');
    await upstream.prepare();
    expect(upstream.hosts()).toHaveLength(2_000);
    expect(upstream.hosts().find(({ address }) => address === `10.0.0.1:${held.host.port}`)?.activeRequests).toBe(1);
    expect(told.hosts).toBe(2);
  });

  it('of updates that come faster than they are taken the last one counts', async () => {
    const { upstream } = create(configOf(range(1, 1_501)));
    for (let last = 1_600; last <= 2_000; last += 100) upstream.update(configOf(range(1, last + 1)));
    await upstream.prepare();
    expect(upstream.hosts()).toHaveLength(2_000);
  });

  it('marks those that go, in the end, and gives none of them out while it is under way once they are out', async () => {
    const { upstream } = create(configOf(range(1, 1_501)));
    await upstream.prepare();
    const before = upstream.pick({});
    upstream.update(configOf(range(2_000, 2_010)));
    await upstream.prepare();
    expect(before).toMatchObject({ host: { removed: true } });
    for (let round = 0; round < 20; round++) {
      expect(upstream.pick({})).toMatchObject({ kind: 'pick', host: { removed: false } });
    }
  });

  it('closed while it is under way, it has nothing more to do', async () => {
    const { told, upstream } = create(configOf(range(1, 2_001)));
    upstream.close();
    await upstream.prepare();
    expect(told.hosts).toBe(0);
  });
});
