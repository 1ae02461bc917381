import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import type { Cluster, LoadBalancer } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import type { Host } from './host.ts';
import type { PickContext } from './types.ts';
import { Unreachable } from './unreachable.ts';
import { createUpstream } from './upstream.ts';

const BALANCERS: readonly LoadBalancer[] = [
  { kind: 'round-robin' },
  { kind: 'random' },
  { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 },
  {
    kind: 'ring-hash',
    minimumRingSize: 1_024,
    maximumRingSize: 8_388_608,
    hashFunction: 'xx-hash',
    useHostname: false,
  },
  { kind: 'maglev', tableSize: 65_537, useHostname: false },
];

const CLUSTER: Omit<Cluster, 'loadBalancer'> = {
  name: 'c',
  discovery: { kind: 'eds', serviceName: 'c' },
  connectTimeoutMs: 1_000,
  panicThreshold: 50,
  localityWeighted: false,
  circuitBreakers: { default: {}, high: {} },
  http2: true,
};

/** Ports by priority. */
function configOf(loadBalancer: LoadBalancer, levels: readonly (readonly number[])[]): ClusterConfig {
  const localities = levels.map((ports, priority) => ({
    locality: { region: '', zone: `${priority}`, subZone: '' },
    priority,
    weight: 1,
    endpoints: ports.map((port) => ({ address: '10.0.0.1', port, health: 'healthy' as const, weight: 1 })),
  }));
  return {
    cluster: { ...CLUSTER, loadBalancer },
    assignment: { clusterName: 'c', overprovisioningFactor: 140, localities },
  };
}

async function staged(loadBalancer: LoadBalancer, ...levels: readonly (readonly number[])[]) {
  const time = { ms: 0 };
  const clock = { now: () => time.ms, wallTime: () => time.ms, after: () => ({ cancel: () => {} }) };
  const upstream = createUpstream(configOf(loadBalancer, levels), { clock, random: seededRandom(7), emit: () => {} });
  await upstream.prepare();
  const pick = (context: PickContext = {}) => {
    const found = upstream.pick({ unreachable: new Set(), ...context });
    if (found.kind === 'failure') return undefined;
    found.release();
    return found;
  };
  /** Picks until each of these has been found to take no connections. */
  const lose = (...ports: number[]) => {
    for (const port of ports) {
      for (let found = upstream.pick({}); ; found = upstream.pick({})) {
        if (found.kind === 'failure') throw new Error(found.reason);
        found.release();
        if (found.host.port !== port) continue;
        found.unreachable();
        break;
      }
    }
  };
  const portsOf = (count: number, context?: PickContext) =>
    Array.from({ length: count }, () => pick(context)?.host.port).filter((port) => port !== undefined);
  return { upstream, time, pick, lose, portsOf };
}

describe.each(BALANCERS)('gRPC picks by $kind', (balancer) => {
  it('pass over hosts that take no connections, until their time is over or there is a connection', async () => {
    const { lose, portsOf, time, upstream } = await staged(balancer, [1, 2, 3, 4]);
    lose(2, 4);
    expect(new Set(portsOf(200))).toEqual(new Set([1, 3]));
    expect(new Set(Array.from({ length: 400 }, () => (upstream.pick({}) as { host: Host }).host.port)).size).toBe(4);
    time.ms = 1_201;
    expect(new Set(portsOf(400))).toEqual(new Set([1, 2, 3, 4]));
  });

  it('go to every host at most once in one call, then to nobody', async () => {
    const { pick } = await staged(balancer, [1, 2, 3], [4, 5]);
    const unreachable = new Set<Host>();
    const ports: number[] = [];
    for (let found = pick({ unreachable }); found !== undefined; found = pick({ unreachable })) {
      unreachable.add(found.host);
      ports.push(found.host.port);
    }
    expect(ports.slice(0, 3).sort()).toEqual([1, 2, 3]);
    expect(ports.slice(3).sort()).toEqual([4, 5]);
  });

  it('use the next priority only when nobody of the one before is left', async () => {
    const { lose, portsOf } = await staged(balancer, [1, 2, 3], [4, 5]);
    lose(1, 2);
    expect(new Set(portsOf(100))).toEqual(new Set([3]));
    lose(3);
    expect(new Set(portsOf(200))).toEqual(new Set([4, 5]));
  });

  it('go to one all the same where nobody takes connections, but not in a call that has found so', async () => {
    const { lose, portsOf, pick } = await staged(balancer, [1, 2]);
    lose(1, 2);
    expect(portsOf(20)).toHaveLength(20);
    const { host } = pick() ?? {};
    expect(host && pick({ unreachable: new Set([host]) })).toBeUndefined();
  });
});

it('round robin gives the others equal shares', async () => {
  const { lose, portsOf } = await staged({ kind: 'round-robin' }, [1, 2, 3]);
  lose(2);
  expect(portsOf(100).filter((port) => port === 1)).toHaveLength(50);
});

it('the hash of a request leads to the same host while the one before it takes no connections', async () => {
  const ring = BALANCERS[3] as LoadBalancer;
  const { lose, portsOf, pick } = await staged(ring, [1, 2, 3, 4]);
  const hash = { hi: 77, lo: 5 };
  const first = pick({ hash })?.host.port ?? 0;
  lose(first);
  const others = new Set(portsOf(20, { hash }));
  expect(others.size).toBe(1);
  expect(others).not.toContain(first);
});

it('a session goes on elsewhere while its host takes no connections', async () => {
  const { lose, portsOf } = await staged({ kind: 'round-robin' }, [1, 2]);
  const session = { overrideHost: { addresses: ['10.0.0.1:1'], strict: false } };
  expect(new Set(portsOf(4, session))).toEqual(new Set([1]));
  lose(1);
  expect(new Set(portsOf(4, session))).toEqual(new Set([2]));
});

describe('the rest of a host', () => {
  const middle = () => 2 ** 31;
  const restMs = (unreachable: Unreachable, host: Host, nowMs: number): number => {
    let ms = 0;
    while (unreachable.rests(host, nowMs + ms)) ms++;
    return ms;
  };
  const hostOf = async () => (await staged({ kind: 'round-robin' }, [1])).pick()?.host as Host;

  it('is a second, each time 1.6 times as long, at most two minutes; whoever waited for the same connection counts once', async () => {
    const host = await hostOf();
    const unreachable = new Unreachable();
    const rests: number[] = [];
    for (let at = 0; rests.length < 13; at += 200_000) {
      unreachable.failed(host, at, middle);
      unreachable.failed(host, at + 1, middle);
      rests.push(restMs(unreachable, host, at));
    }
    expect(rests.slice(0, 3)).toEqual([1_000, 1_600, 2_560]);
    expect(rests.at(-1)).toBe(120_000);
    unreachable.connected(host);
    unreachable.failed(host, 0, middle);
    expect(restMs(unreachable, host, 0)).toBe(1_000);
  });

  it('has a jitter of a fifth', async () => {
    const host = await hostOf();
    for (const [random, ms] of [
      [0, 800],
      [2 ** 32 - 1, 1_200],
    ] as const) {
      const unreachable = new Unreachable();
      unreachable.failed(host, 0, () => random);
      expect(restMs(unreachable, host, 0)).toBe(ms);
    }
  });
});
