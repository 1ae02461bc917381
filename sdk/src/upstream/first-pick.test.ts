import { describe, expect, it } from 'vitest';
import type { Cluster, LoadBalancer } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import { createUpstream } from './upstream.ts';

const clock = { now: () => 0, wallTime: () => 0, after: () => ({ cancel: () => {} }) };

function configOf(ports: readonly number[], loadBalancer: LoadBalancer = { kind: 'round-robin' }): ClusterConfig {
  const cluster: Cluster = {
    name: 'c',
    discovery: { kind: 'eds', serviceName: 'c' },
    connectTimeoutMs: 1_000,
    loadBalancer,
    panicThreshold: 0,
    localityWeighted: false,
    circuitBreakers: { default: {}, high: {} },
    http2: false,
  };
  const endpoints = ports.map((port) => ({ address: '10.0.0.1', port, health: 'healthy', weight: 1 }) as const);
  const localities = [{ locality: { region: '', zone: '', subZone: '' }, priority: 0, weight: 1, endpoints }];
  return { cluster, assignment: { clusterName: 'c', overprovisioningFactor: 140, localities } };
}

/** The balancer draws where its turns begin once a table. */
const create = (config: ClusterConfig) => {
  const seen = { tables: 0 };
  const random = () => {
    seen.tables++;
    return 0;
  };
  return { seen, upstream: createUpstream(config, { clock, random, emit: () => {} }) };
};

describe('before the first pick of an upstream', () => {
  it('few hosts wait for it, and take every update until then', () => {
    const { seen, upstream } = create(configOf([1]));
    upstream.update(configOf([2]));
    upstream.update(configOf([3]));
    expect(seen.tables).toBe(0);
    expect(upstream.pick({})).toMatchObject({ kind: 'pick', host: { port: 3, removed: false } });
    expect(seen.tables).toBe(1);
  });

  it('many hosts do not wait: a pick must not stand still for them', () => {
    expect(create(configOf(Array.from({ length: 101 }, (_, index) => index + 1))).seen.tables).toBe(1);
    const { seen, upstream } = create(configOf([1]));
    upstream.update(configOf(Array.from({ length: 101 }, (_, index) => index + 1)));
    expect(seen.tables).toBe(1);
  });

  it('hash tables do not wait, however few the hosts', async () => {
    const { seen, upstream } = create(configOf([1], { kind: 'maglev', tableSize: 65_537, useHostname: false }));
    expect(seen.tables).toBe(1);
    await upstream.prepare();
    expect(upstream.peek({})).toMatchObject({ kind: 'peek' });
  });

  it('hosts that start slowly do not wait: they start when they come', () => {
    const slowStart = { windowMs: 1_000, aggression: 1, minWeightPercent: 10 };
    expect(create(configOf([1], { kind: 'round-robin', slowStart })).seen.tables).toBe(1);
  });

  it('a closed upstream still gives a host, which counts as removed', () => {
    const { upstream } = create(configOf([1]));
    upstream.close();
    expect(upstream.pick({})).toMatchObject({ kind: 'pick', host: { removed: true } });
  });
});
