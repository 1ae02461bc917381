import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithinBinomial, seededRandom } from '../../../test/harness/seeded-random.ts';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { Cluster, Endpoint, Health, LoadBalancer, LocalityEndpoints } from '../model/cluster.ts';
import type { MeshEvent } from '../model/events.ts';
import type { ClusterConfig } from '../model/target.ts';
import type { Host } from './host.ts';
import type { Upstream } from './types.ts';
import { createUpstream } from './upstream.ts';

const BALANCERS: readonly LoadBalancer[] = [
  { kind: 'round-robin' },
  { kind: 'least-request', choiceCount: 2 },
  { kind: 'random' },
  { kind: 'ring-hash', minimumRingSize: 64, maximumRingSize: 4096, hashFunction: 'xx-hash', useHostname: false },
  { kind: 'maglev', tableSize: 251, useHostname: false },
];
const LEAST_REQUEST: LoadBalancer = { kind: 'least-request', choiceCount: 2 };

const endpoint = (index: number, health: Health = 'healthy', weight = 1): Endpoint => ({
  address: `10.0.0.${index}`,
  port: 80,
  health,
  weight,
});

const locality = (endpoints: readonly Endpoint[], zone = 'a', priority = 0, weight = 1): LocalityEndpoints => ({
  locality: { region: 'r', zone, subZone: '' },
  priority,
  weight,
  endpoints,
});

function configOf(localities: readonly LocalityEndpoints[] | undefined, cluster: Partial<Cluster> = {}): ClusterConfig {
  return {
    cluster: {
      name: 'reviews',
      discovery: { kind: 'eds', serviceName: 'reviews' },
      connectTimeoutMs: 1_000,
      loadBalancer: LEAST_REQUEST,
      panicThreshold: 0,
      localityWeighted: false,
      circuitBreakers: { default: {}, high: {} },
      http2: false,
      ...cluster,
    },
    assignment:
      localities === undefined ? undefined : { clusterName: 'reviews', overprovisioningFactor: 140, localities },
  };
}

/** A clock that stands still: every build is done in its first slice. */
const still = { now: () => 0, wallTime: () => 0, after: () => ({ cancel: () => {} }) };
/** A clock that runs with every look at it: every step of a build is a slice of its own. */
const hurried = () => {
  let time = 0;
  return { ...still, now: () => (time += 3) };
};

const create = (config: ClusterConfig, clock = still, emit: (event: MeshEvent) => void = () => {}): Upstream =>
  createUpstream(config, { clock, random: seededRandom(99), emit });

function pickedAddress(upstream: Upstream, key = 'k'): string {
  const picked = upstream.pick({ hash: xxHash64(key) });
  if (picked.kind === 'failure') return picked.flag;
  picked.outcome({ status: 200 });
  picked.release();
  return picked.host.address;
}

const addresses = (upstream: Upstream, count = 200): Set<string> =>
  new Set(Array.from({ length: count }, (_, index) => pickedAddress(upstream, `key-${index}`)));

describe.each(BALANCERS)('an upstream with $kind', (loadBalancer) => {
  it('never picks a host that is not usable', () => {
    const health = fc.constantFrom<Health>('unknown', 'healthy', 'degraded', 'unhealthy', 'draining', 'timeout');
    const place = fc.record({ health, priority: fc.nat(2), weight: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 12 }), fc.boolean(), (places, localityWeighted) => {
        const localities = places.map((one, index) =>
          locality([endpoint(index, one.health, one.weight)], `z${index}`, one.priority, one.weight),
        );
        const upstream = create(configOf(localities, { loadBalancer, localityWeighted }));
        const usable = new Set(
          places.flatMap((one, index) =>
            one.health === 'unknown' || one.health === 'healthy' || one.health === 'degraded'
              ? [`10.0.0.${index}`]
              : [],
          ),
        );
        for (const address of addresses(upstream, 30)) {
          if (address !== 'UH') expect(usable).toContain(address);
          else if (places.some((one) => one.health === 'healthy' || one.health === 'unknown')) {
            // Envoy's hash balancers have nobody for what falls to degraded hosts.
            expect(['ring-hash', 'maglev']).toContain(loadBalancer.kind);
          }
        }
      }),
    );
  });

  it('keeps the counters of hosts that stay, forgets those that go', () => {
    const upstream = create(configOf([locality([1, 2, 3].map((index) => endpoint(index)))], { loadBalancer }));
    const held = Array.from({ length: 30 }, (_, index) => upstream.pick({ hash: xxHash64(`${index}`) }));
    const before = new Map(upstream.hosts().map((host) => [host.address, host.activeRequests]));
    upstream.update(configOf([locality([endpoint(2), endpoint(3), endpoint(4)])], { loadBalancer }));
    const after = new Map(upstream.hosts().map((host) => [host.address, host.activeRequests]));
    expect(after.get('10.0.0.2:80')).toBe(before.get('10.0.0.2:80'));
    expect(after.get('10.0.0.3:80')).toBe(before.get('10.0.0.3:80'));
    expect(after.get('10.0.0.4:80')).toBe(0);
    expect(after.has('10.0.0.1:80')).toBe(false);
    for (const one of held) if (one.kind === 'pick') one.release();
    expect(upstream.hosts().map((host) => host.activeRequests)).toEqual([0, 0, 0]);
  });

  it('avoids excluded hosts within the attempts it has, and takes one anyway when there is no other', () => {
    const upstream = create(configOf([locality([1, 2, 3, 4].map((index) => endpoint(index)))], { loadBalancer }));
    const exclude = (host: Host): boolean => host.address !== '10.0.0.3';
    for (let index = 0; index < 20; index++) {
      const picked = upstream.pick({ hash: xxHash64(`${index}`), exclude, selectionAttempts: 300 });
      expect(picked.kind === 'pick' && picked.host.address).toBe('10.0.0.3');
    }
    const all = upstream.pick({ hash: xxHash64('a'), exclude: () => true });
    expect(all.kind).toBe('pick');
  });

  it('a peek changes nothing', () => {
    const config = configOf([locality([endpoint(1, 'healthy', 2), endpoint(2), endpoint(3)])], { loadBalancer });
    const [peeked, plain] = [create(config), create(config)];
    for (let index = 0; index < 40; index++) {
      const hash = xxHash64(`${index}`);
      expect(peeked.peek({ hash }).kind).toBe('peek');
      expect(pickedAddress(peeked, `${index}`)).toBe(pickedAddress(plain, `${index}`));
    }
  });
});

describe('an upstream without a usable host answers UH and says why', () => {
  it.each([
    {
      what: 'no endpoints received',
      config: configOf(undefined),
      reason: 'no endpoints of reviews have been received',
    },
    { what: 'no endpoints', config: configOf([]), reason: 'reviews has no endpoints' },
    {
      what: 'all unhealthy, panic off',
      config: configOf([locality([endpoint(1, 'unhealthy'), endpoint(2, 'draining')])]),
      reason: 'none of the 2 endpoints of reviews is healthy',
    },
  ])('$what', ({ config, reason }) => {
    expect(create(config).pick({})).toEqual({ kind: 'failure', flag: 'UH', reason });
    expect(create(config).peek({})).toEqual({ kind: 'failure', flag: 'UH', reason });
  });

  it('in panic all hosts are used (Envoy healthy_panic_threshold)', () => {
    const ill = [locality([endpoint(1, 'unhealthy'), endpoint(2, 'draining')])];
    expect(addresses(create(configOf(ill, { panicThreshold: 50 })))).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });
});

describe('priorities and localities', () => {
  it('the next priority gets what the first has no health for', () => {
    const upstream = create(
      configOf([
        locality([endpoint(1), endpoint(2, 'unhealthy')], 'a', 0),
        locality([endpoint(3), endpoint(4)], 'b', 1),
      ]),
    );
    const draws = 10_000;
    const first = Array.from({ length: draws }, () => pickedAddress(upstream)).filter(
      (address) => address === '10.0.0.1',
    );
    expect(isWithinBinomial(first.length, draws, 0.7)).toBe(true);
  });

  it('degraded hosts take what healthy ones cannot', () => {
    const hosts = [endpoint(1), endpoint(2, 'degraded'), endpoint(3, 'degraded'), endpoint(4, 'unhealthy')];
    const upstream = create(configOf([locality(hosts)]));
    const picks = Array.from({ length: 10_000 }, () => pickedAddress(upstream));
    expect(isWithinBinomial(picks.filter((address) => address === '10.0.0.1').length, 10_000, 0.35)).toBe(true);
    expect(new Set(picks)).toEqual(new Set(['10.0.0.1', '10.0.0.2', '10.0.0.3']));
  });

  it('localities get their weights, only where the cluster asks for it', () => {
    const localities = [
      locality([endpoint(1), endpoint(2)], 'a', 0, 1),
      locality([endpoint(3)], 'b', 0, 3),
      locality([endpoint(4)], 'c', 0, 0),
    ];
    const share = (upstream: Upstream): number =>
      Array.from({ length: 8_000 }, () => pickedAddress(upstream)).filter((address) => address === '10.0.0.3').length /
      8_000;
    expect(share(create(configOf(localities, { localityWeighted: true })))).toBeCloseTo(0.75, 2);
    expect(addresses(create(configOf(localities, { localityWeighted: true })))).not.toContain('10.0.0.4');
    expect(share(create(configOf(localities)))).toBeCloseTo(0.25, 1);
  });

  it("a priority's health is that of its weights where the assignment says so (weighted_priority_health)", () => {
    const localities = [
      locality([endpoint(1, 'healthy', 3), endpoint(2, 'unhealthy', 1)], 'a', 0),
      locality([endpoint(3)], 'b', 1),
    ];
    const config = configOf(localities);
    const weighted = {
      ...config,
      assignment: config.assignment && { ...config.assignment, weightedPriorityHealth: true },
    };
    // 1 of 2 hosts is 70 %, 3 of 4 by weight more than all of it.
    expect(addresses(create(config))).toEqual(new Set(['10.0.0.1', '10.0.0.3']));
    expect(addresses(create(weighted))).toEqual(new Set(['10.0.0.1']));
  });

  it('of an address that is named twice the first counts', () => {
    const upstream = create(configOf([locality([endpoint(1)], 'a', 0), locality([endpoint(1), endpoint(2)], 'b', 1)]));
    expect(upstream.hosts().map(({ address, priority }) => ({ address, priority }))).toEqual([
      { address: '10.0.0.1:80', priority: 0 },
      { address: '10.0.0.2:80', priority: 1 },
    ]);
  });
});

describe('hosts', () => {
  it('are shown with their state and why they are not healthy', () => {
    const upstream = create(configOf([locality([endpoint(1, 'unknown'), endpoint(2, 'timeout')])]));
    expect(upstream.hosts()).toEqual([
      { address: '10.0.0.1:80', locality: 'r/a', priority: 0, state: 'healthy', activeRequests: 0, weight: 1 },
      {
        address: '10.0.0.2:80',
        locality: 'r/a',
        priority: 0,
        state: 'timeout',
        reason: 'the control plane reports it timeout',
        activeRequests: 0,
        weight: 1,
      },
    ]);
  });

  it('are the same objects through updates', () => {
    const upstream = create(configOf([locality([endpoint(1)])]));
    const before = upstream.pick({});
    upstream.update(configOf([locality([endpoint(1, 'healthy', 5), endpoint(2, 'unhealthy')])]));
    const after = upstream.pick({});
    if (before.kind === 'failure' || after.kind === 'failure') throw new Error('no pick');
    expect(after.host).toBe(before.host);
    expect(after.host.active).toBe(2);
  });

  it('least request goes to the less busy host', () => {
    const upstream = create(configOf([locality([endpoint(1), endpoint(2)])]));
    for (let index = 0; index < 100; index++) upstream.pick({});
    const [one, other] = upstream.hosts().map((host) => host.activeRequests);
    expect(Math.abs((one ?? 0) - (other ?? 0))).toBeLessThanOrEqual(10);
  });
});

describe('slow start', () => {
  const loadBalancer: LoadBalancer = {
    kind: 'round-robin',
    slowStart: { windowMs: 10_000, aggression: 1, minWeightPercent: 10 },
  };
  const of = (...endpoints: readonly Endpoint[]) => configOf([locality(endpoints)], { loadBalancer });
  const rig = (config: ClusterConfig) => {
    let time = 5_000;
    const upstream = create(config, { ...still, now: () => time });
    return { upstream, pass: (ms: number) => (time += ms) };
  };
  const shareOf = (upstream: Upstream, address: string): number => {
    const picks = Array.from({ length: 2_000 }, () => pickedAddress(upstream));
    return picks.filter((one) => one === address).length / picks.length;
  };

  it('a host that comes later begins with little and grows to its part', () => {
    const { upstream, pass } = rig(of(endpoint(1)));
    pass(20_000);
    upstream.update(of(endpoint(1), endpoint(2)));
    expect(shareOf(upstream, '10.0.0.2')).toBeCloseTo(0.1 / 1.1, 1);
    pass(5_000);
    expect(shareOf(upstream, '10.0.0.2')).toBeCloseTo(0.5 / 1.5, 1);
    pass(5_000);
    expect(shareOf(upstream, '10.0.0.2')).toBeCloseTo(0.5, 1);
  });

  it('hosts that start together share alike', () => {
    expect(shareOf(rig(of(endpoint(1), endpoint(2))).upstream, '10.0.0.2')).toBeCloseTo(0.5, 1);
  });

  it('it begins when a host is first healthy, and only once', () => {
    const { upstream, pass } = rig(of(endpoint(1), endpoint(2, 'unhealthy')));
    pass(20_000);
    upstream.update(of(endpoint(1), endpoint(2)));
    expect(shareOf(upstream, '10.0.0.2')).toBeCloseTo(0.1 / 1.1, 1);
    pass(20_000);
    upstream.update(of(endpoint(1), endpoint(2, 'draining')));
    expect(shareOf(upstream, '10.0.0.2')).toBe(0);
    upstream.update(of(endpoint(1), endpoint(2)));
    expect(shareOf(upstream, '10.0.0.2')).toBeCloseTo(0.5, 1);
  });
});

describe('a pick', () => {
  it('counts once, whatever order and however often outcome and release are told', () => {
    const step = fc.constantFrom<'ok' | 'error' | 'release'>('ok', 'error', 'release');
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 }), (stories) => {
        const upstream = create(configOf([locality([endpoint(1)])]));
        let active = 0;
        let failures = 0;
        let host: Host | undefined;
        for (const story of stories) {
          const picked = upstream.pick({});
          if (picked.kind === 'failure') throw new Error(picked.reason);
          host = picked.host;
          for (const one of story) {
            if (one === 'release') picked.release();
            else picked.outcome(one === 'ok' ? { status: 404 } : { error: 'reset' });
          }
          if (!story.includes('release')) active++;
          // An answer may break off after its head: the first error counts, wherever it stands before the release.
          const told = story.slice(0, story.includes('release') ? story.indexOf('release') : story.length);
          if (told.includes('error')) failures++;
        }
        expect(host?.active ?? 0).toBe(active);
        expect(host?.failures ?? 0).toBe(failures);
        expect(host?.requests ?? 0).toBe(stories.length);
      }),
    );
  });

  it('of a host that has gone can still be released', () => {
    const upstream = create(configOf([locality([endpoint(1)])]));
    const picked = upstream.pick({});
    if (picked.kind === 'failure') throw new Error(picked.reason);
    upstream.update(configOf([locality([endpoint(2)])]));
    expect(picked.host.removed).toBe(true);
    picked.release();
    expect(picked.host.active).toBe(0);
  });
});

describe('ORIGINAL_DST', () => {
  const config = configOf(undefined, { discovery: { kind: 'original-dst' } });

  it('goes where the application dialled, one host an address', () => {
    const upstream = create(config);
    const originalDestination = { address: 'api.example.com', port: 443 };
    const [one, other] = [upstream.pick({ originalDestination }), upstream.pick({ originalDestination })];
    if (one.kind === 'failure' || other.kind === 'failure') throw new Error('no pick');
    expect(one.host).toBe(other.host);
    expect(one.endpoint).toMatchObject(originalDestination);
    expect(upstream.hosts()).toMatchObject([{ address: 'api.example.com:443', state: 'healthy', activeRequests: 2 }]);
  });

  it('a peek remembers nothing', () => {
    const upstream = create(config);
    const originalDestination = { address: '203.0.113.7', port: 80 };
    expect(upstream.peek({ originalDestination })).toMatchObject({ kind: 'peek', host: originalDestination });
    expect(upstream.hosts()).toEqual([]);
  });

  it('without a destination answers UH', () => {
    expect(create(config).pick({})).toMatchObject({ kind: 'failure', flag: 'UH' });
  });

  it('forgets idle destinations beyond the limit, never busy ones', () => {
    const upstream = create(config);
    upstream.pick({ originalDestination: { address: 'busy', port: 1 } });
    for (let index = 0; index < 3_000; index++) {
      const picked = upstream.pick({ originalDestination: { address: `h${index}`, port: 1 } });
      if (picked.kind === 'pick') picked.release();
    }
    const kept = upstream.hosts().map((host) => host.address);
    expect(kept).toHaveLength(1_024);
    expect(kept).toContain('busy:1');
    expect(kept).toContain('h2999:1');
  });
});

describe('tables that are built in slices', () => {
  const ring: LoadBalancer = {
    kind: 'ring-hash',
    minimumRingSize: 4_096,
    maximumRingSize: 8_388_608,
    hashFunction: 'xx-hash',
    useHostname: false,
  };
  const of = (...indexes: number[]) =>
    configOf([locality(indexes.map((index) => endpoint(index)))], { loadBalancer: ring });

  it('a pick before the first one is ready fails at once and builds nothing', async () => {
    const upstream = create(of(1, 2), hurried());
    expect(upstream.pick({})).toMatchObject({ kind: 'failure', flag: 'UH' });
    await upstream.prepare();
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });

  it('picks use the old table until the new one is ready, but no host that has gone or failed', async () => {
    const upstream = create(of(1, 2, 3), hurried());
    await upstream.prepare();
    upstream.update(configOf([locality([endpoint(1), endpoint(2, 'unhealthy'), endpoint(4)])], { loadBalancer: ring }));
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1']));
    await upstream.prepare();
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1', '10.0.0.4']));
  });

  it('updates during a build end in the newest, and prepare waits for it', async () => {
    const upstream = create(of(1), hurried());
    for (let index = 2; index < 20; index++) upstream.update(of(index));
    await upstream.prepare();
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.19']));
  });

  it('a change to another balancer is there at once', () => {
    const upstream = create(of(1, 2), hurried());
    upstream.update(configOf([locality([endpoint(1), endpoint(2)])]));
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });

  it('a small table is ready on return when the turn has time for it', async () => {
    await turn();
    const upstream = create(of(1, 2));
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });

  it('close ends the build and whoever waits for it', async () => {
    const upstream = create(of(1, 2), hurried());
    const ready = upstream.prepare();
    upstream.close();
    await ready;
    expect(upstream.pick({})).toMatchObject({ kind: 'failure' });
  });

  it('a table that cannot be built leaves the one before it in use and says so', async () => {
    const events: MeshEvent[] = [];
    const upstream = create(of(1), still, (event) => events.push(event));
    const impossible: LoadBalancer = { kind: 'maglev', tableSize: 2 ** 40, useHostname: false };
    upstream.update(configOf([locality([endpoint(1), endpoint(2)])], { loadBalancer: impossible }));
    await upstream.prepare();
    expect(events).toMatchObject([{ kind: 'warning', message: expect.stringContaining('reviews') }]);
    expect(addresses(upstream)).toEqual(new Set(['10.0.0.1']));
  });
});
