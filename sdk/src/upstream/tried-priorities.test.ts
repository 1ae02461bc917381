import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import type { Health, LoadBalancer } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import { leftOut } from './tried-priorities.ts';
import type { PickContext } from './types.ts';
import { createUpstream } from './upstream.ts';

const BALANCERS: readonly LoadBalancer[] = [
  { kind: 'round-robin' },
  { kind: 'maglev', tableSize: 251, useHostname: false },
];

/** One host a priority: `p0`, `p1` … */
function upstreamOf(loadBalancer: LoadBalancer, ...healths: readonly Health[]) {
  const config: ClusterConfig = {
    cluster: {
      name: 'c',
      discovery: { kind: 'eds', serviceName: 'c' },
      connectTimeoutMs: 1_000,
      loadBalancer,
      panicThreshold: 0,
      localityWeighted: false,
      circuitBreakers: { default: {}, high: {} },
      http2: false,
    },
    assignment: {
      clusterName: 'c',
      overprovisioningFactor: 140,
      localities: healths.map((health, priority) => ({
        locality: { region: '', zone: '', subZone: '' },
        priority,
        weight: 1,
        endpoints: [{ address: `p${priority}`, port: 80, health, weight: 1 }],
      })),
    },
  };
  return createUpstream(config, { clock: createFakeClock(), random: seededRandom(3), emit: () => {} });
}

describe.each(BALANCERS)('previous priorities with $kind', (loadBalancer) => {
  function way(healths: readonly Health[], attempts: number, priorityUpdateFrequency = 1): string {
    const upstream = upstreamOf(loadBalancer, ...healths);
    const tried: number[] = [];
    const names: string[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      const context: PickContext = { hash: { hi: 1, lo: 2 }, triedPriorities: tried, priorityUpdateFrequency };
      const picked = upstream.pick(context);
      if (picked.kind === 'failure') return picked.flag;
      picked.release();
      tried.push(picked.host.priority);
      names.push(picked.host.address);
    }
    return names.join(' ');
  }

  it('each attempt goes to the next priority, and round again', () => {
    expect(way(['healthy', 'healthy', 'healthy'], 5)).toBe('p0 p1 p2 p0 p1');
  });

  it('one without a usable host is passed over', () => {
    expect(way(['healthy', 'unhealthy', 'healthy'], 4)).toBe('p0 p2 p0 p2');
  });

  it('update_frequency 2: every second attempt', () => {
    expect(way(['healthy', 'healthy', 'healthy'], 6, 2)).toBe('p0 p0 p1 p1 p2 p2');
  });

  it('the only priority is tried again', () => {
    expect(way(['healthy'], 3)).toBe('p0 p0 p0');
    expect(way(['unhealthy'], 1)).toBe('UH');
  });
});

it('nothing is left out before the first update', () => {
  expect(leftOut([], 1, () => true, 3)).toBeUndefined();
  expect(leftOut([0], 2, () => true, 3)).toBeUndefined();
});

describe('a session (override host)', () => {
  const upstream = upstreamOf({ kind: 'round-robin' }, 'healthy', 'degraded', 'unhealthy', 'draining');
  const pick = (strict: boolean, ...addresses: string[]): string => {
    const picked = upstream.pick({ overrideHost: { addresses, strict } });
    if (picked.kind === 'failure') return picked.flag;
    picked.release();
    return picked.host.address;
  };

  it.each([
    { rule: 'the host it names, whatever the balancer says', addresses: ['p1:80'], host: 'p1' },
    { rule: 'the first that can be used', addresses: ['p2:80', 'p1:80'], host: 'p1' },
    { rule: 'an unhealthy host is not taken', addresses: ['p2:80'], host: 'p0', strict: 'UH' },
    { rule: 'nor a draining one', addresses: ['p3:80'], host: 'p0', strict: 'UH' },
    { rule: 'an unknown host is balanced anew', addresses: ['p9:80'], host: 'p0', strict: 'UH' },
    { rule: 'an address is not the key of anything else', addresses: ['__proto__'], host: 'p0', strict: 'UH' },
  ])('$rule', ({ addresses, host, strict = host }) => {
    expect([pick(false, ...addresses), pick(true, ...addresses)]).toEqual([host, strict]);
  });
});
