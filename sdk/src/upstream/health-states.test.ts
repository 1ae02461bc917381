import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import type { Cluster, Health } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import { createUpstream } from './upstream.ts';

/** What the control plane may say of an endpoint (Envoy core.v3.HealthStatus), and what becomes of it. */

function configOf(healths: readonly Health[], cluster: Partial<Cluster> = {}): ClusterConfig {
  return {
    cluster: {
      name: 'c',
      discovery: { kind: 'eds', serviceName: 'c' },
      connectTimeoutMs: 1_000,
      loadBalancer: { kind: 'round-robin' },
      panicThreshold: 0,
      localityWeighted: false,
      circuitBreakers: { default: {}, high: {} },
      http2: false,
      ...cluster,
    },
    assignment: {
      clusterName: 'c',
      overprovisioningFactor: 140,
      localities: [
        {
          locality: { region: '', zone: '', subZone: '' },
          priority: 0,
          weight: 1,
          endpoints: healths.map((health, at) => ({ address: `h${at}`, port: 80, health, weight: 1 })),
        },
      ],
    },
  };
}

const create = (healths: readonly Health[], cluster: Partial<Cluster> = {}) =>
  createUpstream(configOf(healths, cluster), { clock: createFakeClock(), random: seededRandom(3), emit: () => {} });

describe('a host beside a healthy one', () => {
  it.each<{ health: Health; picked: boolean; alone: boolean; session: boolean; shown: string }>([
    { health: 'unknown', picked: true, alone: true, session: true, shown: 'healthy' },
    { health: 'healthy', picked: true, alone: true, session: true, shown: 'healthy' },
    { health: 'degraded', picked: true, alone: true, session: true, shown: 'degraded' },
    { health: 'unhealthy', picked: false, alone: false, session: false, shown: 'unhealthy' },
    { health: 'timeout', picked: false, alone: false, session: false, shown: 'timeout' },
    { health: 'draining', picked: false, alone: false, session: false, shown: 'draining' },
  ])('$health: picked $picked, alone $alone, by its session $session', ({ health, picked, alone, session, shown }) => {
    const draws = (healths: readonly Health[]) => {
      const upstream = create(healths);
      return Array.from({ length: 400 }, () => upstream.pick({})).some(
        (one) => one.kind === 'pick' && one.host.address === 'h0',
      );
    };
    // One healthy host of two is 70 % of the load: what is left is the degraded one's.
    expect(draws([health, 'healthy'])).toBe(picked);
    expect(draws([health])).toBe(alone);
    const upstream = create([health]);
    expect(upstream.pick({ overrideHost: { addresses: ['h0:80'], strict: true } }).kind === 'pick').toBe(session);
    expect(upstream.hosts()[0]?.state).toBe(shown);
  });

  it('override_host_status says which states a session may keep its host in', () => {
    const strict = { overrideHost: { addresses: ['h0:80'], strict: true } };
    expect(create(['draining'], { overrideHostStatus: ['draining'] }).pick(strict).kind).toBe('pick');
    expect(create(['healthy'], { overrideHostStatus: ['draining'] }).pick(strict).kind).toBe('failure');
  });
});

describe('a host under requests', () => {
  it('that begins to drain gets no more, and those under way end', () => {
    const upstream = create(['healthy', 'healthy']);
    const held = [upstream.pick({}), upstream.pick({})];
    upstream.update(configOf(['draining', 'healthy']));
    for (let call = 0; call < 10; call++) expect(upstream.pick({})).toMatchObject({ host: { address: 'h1' } });
    const active = () => upstream.hosts().find(({ address }) => address === 'h0:80')?.activeRequests;
    expect(active()).toBe(1);
    expect(held.every((one) => one.kind === 'pick' && !one.host.removed)).toBe(true);
    for (const one of held) if (one.kind === 'pick') one.release();
    expect(active()).toBe(0);
  });

  it('that is removed while draining is gone, and its requests end', () => {
    const upstream = create(['healthy']);
    const held = upstream.pick({});
    if (held.kind === 'failure') throw new Error(held.reason);
    upstream.update(configOf(['draining']));
    upstream.update(configOf([]));
    expect([held.host.removed, upstream.hosts()]).toEqual([true, []]);
    held.outcome({ status: 200 });
    held.release();
    expect(held.host.active).toBe(0);
  });

  it('comes back with its counters when it has stopped draining', () => {
    const upstream = create(['healthy']);
    const held = upstream.pick({});
    upstream.update(configOf(['draining']));
    upstream.update(configOf(['healthy']));
    expect(upstream.hosts()[0]).toMatchObject({ state: 'healthy', activeRequests: 1 });
    if (held.kind === 'pick') held.release();
  });
});
