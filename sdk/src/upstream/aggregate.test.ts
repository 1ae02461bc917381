import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import type { Cluster, Endpoint, Health, LocalityEndpoints } from '../model/cluster.ts';
import type { ClusterConfig, ClusterMember, ClusterState } from '../model/target.ts';
import { AggregateUpstream } from './aggregate.ts';
import type { PickContext, Upstream } from './types.ts';
import { createUpstream } from './upstream.ts';

const clusterOf = (name: string, more: Partial<Cluster> = {}): Cluster => ({
  name,
  discovery: { kind: 'eds', serviceName: name },
  connectTimeoutMs: 1_000,
  loadBalancer: { kind: 'round-robin' },
  panicThreshold: 0,
  localityWeighted: false,
  circuitBreakers: { default: {}, high: {} },
  http2: false,
  ...more,
});

/** Hosts `NAME.PRIORITY.INDEX`, one for each state of health. */
function member(name: string, priorities: readonly (readonly Health[])[], more: Partial<Cluster> = {}): ClusterMember {
  const localities = priorities.map((states, priority): LocalityEndpoints => {
    const endpoints = states.map(
      (health, index): Endpoint => ({ address: `${name}.${priority}.${index}`, port: 80, health, weight: 1 }),
    );
    return { locality: { region: '', zone: '', subZone: '' }, priority, weight: 1, endpoints };
  });
  const config: ClusterConfig = {
    cluster: clusterOf(name, more),
    assignment: { clusterName: name, overprovisioningFactor: 140, localities },
  };
  return { name, state: { kind: 'ready', config } };
}

const failed = (name: string): ClusterMember => ({ name, state: { kind: 'failed', reason: 'gone' } });

const configOf = (members: readonly ClusterMember[], more: Partial<Cluster> = {}): ClusterConfig => ({
  cluster: clusterOf('all', {
    discovery: { kind: 'aggregate', clusters: members.map(({ name }) => name) },
    ...more,
  }),
  assignment: undefined,
  members,
});

const readyOf = (state: ClusterState): ClusterConfig => {
  if (state.kind === 'failed') throw new Error(state.reason);
  return state.config;
};

function open(members: readonly ClusterMember[], more: Partial<Cluster> = {}) {
  const clock = { now: () => 0, wallTime: () => 0, after: () => ({ cancel: () => {} }) };
  let draws = 0;
  const random = () => draws++;
  const held = new Map<string, { readonly upstream: Upstream; users: number }>();
  const upstream = new AggregateUpstream(configOf(members, more), {
    clock,
    random,
    acquire(config) {
      const { name } = config.cluster;
      const one = held.get(name) ?? { upstream: createUpstream(config, { clock, random, emit: () => {} }), users: 0 };
      one.users++;
      one.upstream.update(config);
      held.set(name, one);
      return one.upstream;
    },
    release({ name }) {
      const one = held.get(name);
      if (one !== undefined && --one.users === 0) held.delete(name);
    },
    settled: async () => {},
  });
  const pickOf = (context: PickContext = {}) => {
    const pick = upstream.pick(context);
    if (pick.kind === 'failure') return `${pick.flag}: ${pick.reason}`;
    pick.release();
    return pick.host.address;
  };
  /** How many of so many picks came to each host. */
  const counts = (of = 100, context: PickContext = {}): Record<string, number> => {
    const found: Record<string, number> = {};
    for (let at = 0; at < of; at++) {
      const host = pickOf(context);
      found[host] = (found[host] ?? 0) + 1;
    }
    return found;
  };
  return { upstream, held, pickOf, counts };
}

const OK: Health = 'healthy';
const ILL: Health = 'unhealthy';

describe('an aggregate', () => {
  it('uses its first cluster as long as that is well, balanced by its own policy', () => {
    expect(open([member('a', [[OK, OK]]), member('b', [[OK]])]).counts()).toEqual({ 'a.0.0': 50, 'a.0.1': 50 });
  });

  it('goes on to the next one where all of the first are ill, and past clusters that cannot be used', () => {
    expect(open([failed('x'), member('a', [[ILL]]), member('b', [[OK]])]).counts()).toEqual({ 'b.0.0': 100 });
  });

  it('has the priorities of its clusters in a line: each takes what those before it cannot', () => {
    const { counts } = open([
      member('a', [
        [OK, ILL, ILL, ILL],
        [OK, ILL, ILL, ILL],
      ]),
      member('b', [
        [OK, ILL],
        [OK, OK],
      ]),
    ]);
    // 140 % of a quarter, twice; of what is left b's first priority could take 70.
    expect(counts()).toEqual({ 'a.0.0': 35, 'a.1.0': 35, 'b.0.0': 30 });
  });

  it('has a factor of overprovisioning for each cluster', () => {
    const a = member('a', [[OK, ILL]]);
    const { assignment, cluster } = readyOf(a.state);
    if (assignment === undefined) throw new Error('it has some');
    const tight: ClusterMember = {
      name: 'a',
      state: { kind: 'ready', config: { cluster, assignment: { ...assignment, overprovisioningFactor: 100 } } },
    };
    expect(open([tight, member('b', [[OK]])]).counts()).toEqual({ 'a.0.0': 50, 'b.0.0': 50 });
  });

  it('panics by its own threshold, where nobody is well, by that of the clusters', () => {
    const ill = [member('a', [[ILL]]), member('b', [[ILL]], { panicThreshold: 50 })];
    expect(open(ill).counts(10)).toEqual({ 'b.0.0': 10 });
    expect(open([member('a', [[ILL]])], { panicThreshold: 50 }).pickOf()).toBe(
      'UH: no cluster of all has a host: none of the 1 endpoints of a is healthy',
    );
  });

  it('says why it has nobody', () => {
    expect(open([member('a', [[ILL]]), member('b', [])]).pickOf()).toBe(
      'UH: no cluster of all has a host: none of the 1 endpoints of a is healthy; b has no endpoints',
    );
  });

  it('sees what becomes of hosts, and takes over new members, keeping those that stay', () => {
    const { upstream, held, counts } = open([member('a', [[OK]]), member('b', [[OK]])]);
    expect(counts(10)).toEqual({ 'a.0.0': 10 });
    const before = held.get('a')?.upstream;
    before?.update(readyOf(member('a', [[ILL]]).state));
    expect(counts(10)).toEqual({ 'b.0.0': 10 });
    upstream.update(configOf([member('c', [[OK]]), member('a', [[OK]])]));
    expect(counts(10)).toEqual({ 'c.0.0': 10 });
    expect(held.get('a')).toEqual({ upstream: before, users: 1 });
    expect([...held.keys()]).toEqual(['a', 'c']);
    upstream.close();
    expect(held.size).toBe(0);
  });

  it('draws the priority by the hash where a cluster of it hashes, and the same hash finds the same host', () => {
    const loadBalancer = { kind: 'maglev', tableSize: 251, useHostname: false } as const;
    const { upstream, pickOf } = open([member('a', [[OK, ILL]], { loadBalancer }), member('b', [[OK]])]);
    expect(upstream.needsHash).toBe(true);
    const hashes = Array.from({ length: 400 }, (_, at) => xxHash64(`${at}`));
    const found = hashes.map((hash) => pickOf({ hash }));
    expect(found.filter((address) => address === 'b.0.0').length / 400).toBeCloseTo(0.3, 1);
    expect(hashes.map((hash) => pickOf({ hash }))).toEqual(found);
  });

  it('finds the host of a session in whichever cluster it is; a strict one finds no other', () => {
    const { pickOf } = open([member('a', [[OK]]), member('b', [[OK]])]);
    expect(pickOf({ overrideHost: { addresses: ['b.0.0:80'], strict: true } })).toBe('b.0.0');
    expect(pickOf({ overrideHost: { addresses: ['gone:80'], strict: false } })).toBe('a.0.0');
    expect(pickOf({ overrideHost: { addresses: ['gone:80'], strict: true } })).toBe(
      'UH: the host of the session is no usable endpoint of all',
    );
  });

  it('leaves out priorities that were tried, over all of its clusters', () => {
    const { upstream, pickOf } = open([member('a', [[OK], [OK]]), member('b', [[OK]])]);
    const levels: number[] = [];
    const hosts: string[] = [];
    for (let at = 0; at < 4; at++) {
      const pick = upstream.pick(at === 0 ? {} : { triedPriorities: [...levels], priorityUpdateFrequency: 1 });
      if (pick.kind !== 'pick') throw new Error(pick.reason);
      levels.push(upstream.levelOf(pick));
      hosts.push(pick.host.address);
      pick.release();
    }
    expect(hosts).toEqual(['a.0.0', 'a.1.0', 'b.0.0', 'a.0.0']);
    expect(levels).toEqual([0, 1, 2, 0]);
    expect(pickOf()).toBe('a.0.0');
  });

  it('has a retry limit of its own; without one that of the cluster it uses. All else is limited by its clusters', () => {
    const limits = { circuitBreakers: { default: { maxRetries: 1, maxRequests: 0 }, high: {} } };
    const { upstream, held, pickOf } = open([member('a', [[OK]])], limits);
    const own = upstream.breaker('default');
    expect([own.takeRetry(), own.takeRetry()]).toEqual([true, false]);
    expect(upstream.breaker('high')).toBe(held.get('a')?.upstream.breaker('high'));
    expect(pickOf()).toBe('a.0.0');
    const pick = upstream.pick({});
    if (pick.kind === 'pick') expect(pick.upstream.breaker('default').takeRequest()).toBe(true);
  });

  it('shows all hosts with the cluster of each, and tells which one is called', () => {
    const { upstream } = open([member('a', [[ILL], [ILL]]), member('b', [[OK]])]);
    expect(upstream.hosts().map(({ address, cluster, priority }) => [address, cluster, priority])).toEqual([
      ['a.0.0:80', 'a', 0],
      ['a.1.0:80', 'a', 1],
      ['b.0.0:80', 'b', 2],
    ]);
    expect(upstream.serving(() => 0).name).toBe('b');
    expect(upstream.members().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(upstream.ejections()).toEqual([]);
  });
});
