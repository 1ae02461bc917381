import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { Cluster, Health, LoadAssignment, LoadBalancer, LocalityEndpoints } from '../model/cluster.ts';
import { createUpstream } from './upstream.ts';

/** Rules of tables as live Envoy 1.40 has them (test/interop/envoy-balance). */

const ROUND_ROBIN: LoadBalancer = { kind: 'round-robin' };
const MAGLEV: LoadBalancer = { kind: 'maglev', tableSize: 251, useHostname: false };
const still = { now: () => 0, wallTime: () => 0, after: () => ({ cancel: () => {} }) };

const group = (zone: string, weight: number, ...healths: readonly Health[]): LocalityEndpoints => ({
  locality: { region: 'r', zone, subZone: '' },
  priority: 0,
  weight,
  endpoints: healths.map((health, index) => ({ address: `${zone}${index}.${health}`, port: 80, health, weight: 1 })),
});

/** How often each state, and each group before its first digit, was picked in 2,000 draws. */
function shares(
  localities: readonly LocalityEndpoints[],
  cluster: Partial<Cluster> = {},
  assignment: Partial<LoadAssignment> = {},
) {
  const config = {
    cluster: {
      name: 'c',
      discovery: { kind: 'eds', serviceName: 'c' },
      connectTimeoutMs: 1_000,
      loadBalancer: ROUND_ROBIN,
      panicThreshold: 0,
      localityWeighted: false,
      circuitBreakers: { default: {}, high: {} },
      http2: false,
      ...cluster,
    },
    assignment: { clusterName: 'c', overprovisioningFactor: 140, localities, ...assignment },
  } as const;
  const upstream = createUpstream(config, { clock: still, random: seededRandom(7), emit: () => {} });
  const counts = new Map<string, number>();
  for (let draw = 0; draw < 2_000; draw++) {
    const picked = upstream.pick({ hash: xxHash64(`k${draw}`) });
    const [host = '', health = ''] = (picked.kind === 'pick' ? picked.host.address : 'nobody.nobody').split('.');
    for (const name of new Set([host.replace(/\d/, ''), health])) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return (name: string): number => (counts.get(name) ?? 0) / 2_000;
}

describe('tables', () => {
  it('draining hosts count into no total: two of three healthy are 93 %, not 56 % (Envoy HostSet::excludedHosts)', () => {
    const share = shares([
      group('a', 1, 'healthy', 'healthy', 'unhealthy', 'draining', 'draining'),
      { ...group('b', 1, 'healthy'), priority: 1 },
    ]);
    expect(share('a')).toBeGreaterThan(0.9);
    expect(share('draining')).toBe(0);
  });

  it('draining hosts count into no total of their locality', () => {
    const localities = [group('a', 1, 'healthy', 'draining'), group('b', 1, 'healthy')];
    expect(shares(localities, { localityWeighted: true })('a')).toBe(0.5);
  });

  it('in panic draining hosts are taken too', () => {
    const share = shares([group('a', 1, 'draining', 'unhealthy')], { panicThreshold: 50 });
    expect(share('draining')).toBe(0.5);
  });

  it('draws for degraded hosts read the hash table of the healthy ones (Envoy ThreadAwareLoadBalancerBase)', () => {
    const share = shares([group('a', 1, 'healthy', 'degraded')], { loadBalancer: MAGLEV });
    expect(share('healthy')).toBe(1);
  });

  it('a hash table has nobody where only degraded hosts are left', () => {
    expect(shares([group('a', 1, 'degraded')], { loadBalancer: MAGLEV })('nobody')).toBe(1);
  });

  it.each([
    { loadBalancer: ROUND_ROBIN, name: 'nobody' },
    { loadBalancer: MAGLEV, name: 'a' },
  ])('fail_traffic_on_panic under $loadBalancer.kind: $name', ({ loadBalancer, name }) => {
    const share = shares([group('a', 1, 'unhealthy')], { loadBalancer, panicThreshold: 50, failTrafficOnPanic: true });
    expect(share(name)).toBe(1);
  });

  it('weighted_priority_health: panic goes by the number of hosts', () => {
    const light = group('a', 1, 'healthy', 'healthy', 'unhealthy');
    const heavy = { ...light, endpoints: light.endpoints.map((host, at) => ({ ...host, weight: at === 2 ? 98 : 1 })) };
    expect(shares([heavy], { panicThreshold: 50 }, { weightedPriorityHealth: true })('unhealthy')).toBe(0);
  });

  it('a locality without hosts takes no part of a ring (shares of the others add up to 1)', () => {
    const localities = [group('a', 1, 'healthy'), group('b', 1, 'healthy'), group('c', 8)];
    const share = shares(localities, { localityWeighted: true, loadBalancer: MAGLEV });
    expect(share('a')).toBeCloseTo(0.5, 1);
  });

  it('of a locality named twice the last weight that is given counts', () => {
    const localities = [group('a', 3, 'healthy'), group('b', 1, 'healthy'), group('a', 0)];
    expect(shares(localities, { localityWeighted: true })('a')).toBe(0.75);
  });

  it('a locality named twice in a priority is one, and its last weight counts', () => {
    const twice = [group('a', 1, 'healthy'), group('b', 1, 'healthy'), group('a', 3, 'degraded')];
    const renamed = twice.map((one) => ({
      ...one,
      endpoints: one.endpoints.map((host) => ({ ...host, health: 'healthy' as const })),
    }));
    const share = shares(renamed, { localityWeighted: true });
    expect([share('a'), share('b')]).toEqual([0.75, 0.25]);
  });
});
