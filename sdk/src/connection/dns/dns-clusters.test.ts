import { beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock, type FakeClock, settle } from '../../../../test/harness/fake-clock.ts';
import type { DnsOptions, Endpoint } from '../../model/cluster.ts';
import type { ClusterConfig } from '../../model/target.ts';
import { clusterOf } from '../origin.fixture.ts';
import { type ConfigTaker, DnsClusters } from './dns-clusters.ts';
import { createNames } from './names.ts';
import type { Resolution } from './resolver.ts';

let clock: FakeClock;
let answer: Resolution;
let asked: string[];
let changes: number;
let dns: DnsClusters;
beforeEach(() => {
  clock = createFakeClock();
  answer = { kind: 'none' };
  asked = [];
  changes = 0;
  const resolver = {
    resolve(name: string, family: string) {
      asked.push(`${name} ${family}`);
      return Promise.resolve(answer);
    },
  };
  // The largest draw.
  const random = () => 0xffff_ffff;
  dns = new DnsClusters(
    () => createNames({ clock, random, resolver }),
    () => changes++,
  );
});

const OPTIONS: DnsOptions = { refreshRateMs: 5_000, respectTtl: false, jitterMs: 0, family: 'v4-only' };
const found = (addresses: readonly string[], ttlMs?: number): Resolution => ({ kind: 'addresses', addresses, ttlMs });
const FAILED: Resolution = { kind: 'failed', reason: 'SERVFAIL' };

const config = (names: readonly string[], options: Partial<DnsOptions> = {}, logical = false): ClusterConfig => ({
  assignment: undefined,
  cluster: clusterOf({
    discovery: {
      kind: 'dns',
      options: { ...OPTIONS, ...options },
      ...(logical && { logical: true as const }),
      assignment: {
        clusterName: 'reviews',
        overprovisioningFactor: 140,
        localities: [
          {
            locality: { region: '', zone: '', subZone: '' },
            priority: 0,
            weight: 1,
            endpoints: names.map((address) => ({ address, port: 80, health: 'unknown', weight: 3 })),
          },
        ],
      },
    },
  }),
});

class Taker implements ConfigTaker {
  given: ClusterConfig;
  updates = 0;
  constructor(given: ClusterConfig) {
    this.given = dns.initial(given);
    dns.adopt(this, given);
  }
  config(): ClusterConfig {
    return this.given;
  }
  update(given: ClusterConfig): void {
    this.given = given;
    this.updates++;
  }
  get endpoints(): readonly Endpoint[] {
    return this.given.assignment?.localities.flatMap(({ endpoints }) => endpoints) ?? [];
  }
  get addresses(): string[] {
    return this.endpoints.map(({ address }) => address);
  }
}

describe('STRICT_DNS', () => {
  it('makes a host of each address, named as the endpoint; literals stay', async () => {
    answer = found(['10.0.0.1', '10.0.0.2', '10.0.0.1']);
    const taker = new Taker(config(['db.test', '10.9.9.9']));
    expect(taker.addresses).toEqual(['10.9.9.9']);
    await dns.settled(taker, clock);
    expect(taker.addresses).toEqual(['10.0.0.1', '10.0.0.2', '10.9.9.9']);
    expect(taker.endpoints[0]).toEqual({
      address: '10.0.0.1',
      port: 80,
      health: 'unknown',
      weight: 3,
      hostname: 'db.test',
    });
  });

  it('asks again after dns_refresh_rate, or when the TTL is over where it is respected; a TTL of 0 is none', async () => {
    answer = found(['10.0.0.1'], 30_000);
    new Taker(config(['db.test']));
    await settle();
    expect(clock.pending()).toEqual([5_000]);
    new Taker(config(['ttl.test'], { respectTtl: true }));
    answer = found(['10.0.0.1'], 0);
    await settle();
    new Taker(config(['zero.test'], { respectTtl: true }));
    await settle();
    expect(clock.pending()).toEqual([5_000, 5_000, 30_000]);
  });

  it('adds jitter', async () => {
    answer = found(['10.0.0.1']);
    new Taker(config(['db.test'], { jitterMs: 1_000 }));
    await settle();
    expect(clock.pending()).toEqual([5_000 + (0xffff_ffff % 1_000)]);
  });

  it('keeps the last good addresses while nobody can say, and asks after dns_failure_refresh_rate, doubled up to its end', async () => {
    answer = found(['10.0.0.1']);
    const taker = new Taker(config(['db.test'], { failureRefresh: { baseMs: 100, maxMs: 350 } }));
    await settle();
    answer = FAILED;
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      await clock.pass(clock.pending()[0] ?? 0);
      waits.push(clock.pending()[0] ?? 0);
    }
    expect(waits).toEqual([100, 200, 350, 350].map((span) => 0xffff_ffff % span));
    expect(taker.addresses).toEqual(['10.0.0.1']);
    answer = found(['10.0.0.2']);
    await clock.pass(clock.pending()[0] ?? 0);
    expect(taker.addresses).toEqual(['10.0.0.2']);
    expect(clock.pending()).toEqual([5_000]);
  });

  it('has no hosts once the name is said not to exist, as Envoy', async () => {
    answer = found(['10.0.0.1']);
    const taker = new Taker(config(['db.test']));
    await settle();
    answer = { kind: 'none' };
    await clock.pass(5_000);
    expect(taker.addresses).toEqual([]);
  });

  it('tells of changes only: a name that flips is not a change while its answer stays', async () => {
    answer = found(['10.0.0.1']);
    const taker = new Taker(config(['db.test']));
    await settle();
    const { updates } = taker;
    await clock.pass(20_000);
    expect(taker.updates).toBe(updates);
    for (let i = 0; i < 10; i++) {
      answer = found([i % 2 === 0 ? '10.0.0.2' : '10.0.0.1']);
      await clock.pass(5_000);
    }
    expect(taker.updates).toBe(updates + 10);
    expect(changes).toBe(taker.updates);
  });

  it('clusters with the same names and options share the asking; it ends with the last one', async () => {
    answer = found(['10.0.0.1']);
    const takers = [new Taker(config(['db.test'])), new Taker(config(['db.test', 'db.test']))];
    await settle();
    expect(asked).toEqual(['db.test v4-only']);
    expect(takers[1]?.addresses).toEqual(['10.0.0.1', '10.0.0.1']);
    for (const taker of takers) dns.drop(taker);
    expect(clock.pending()).toEqual([]);
  });

  it('a new configuration keeps what is known of names it shares with the old one', async () => {
    answer = found(['10.0.0.1']);
    const taker = new Taker(config(['db.test']));
    await settle();
    const next = config(['db.test', 'other.test']);
    dns.adopt(taker, next);
    expect(dns.configOf(taker)).toBe(next);
    expect(taker.addresses).toEqual(['10.0.0.1']);
    await dns.settled(taker, clock);
    expect(taker.addresses).toEqual(['10.0.0.1', '10.0.0.1']);
    const { discovery: _, ...plain } = clusterOf();
    dns.adopt(taker, { assignment: undefined, cluster: { ...plain, discovery: { kind: 'eds', serviceName: 'x' } } });
    expect(clock.pending()).toEqual([]);
  });

  it('is not waited for longer than an answer may take', async () => {
    const taker = new Taker(config(['db.test']));
    const waiting = dns.settled(taker, clock);
    await settle();
    await waiting;
    expect(asked).toHaveLength(1);
  });
});

describe('LOGICAL_DNS', () => {
  it('is one host at the name, with the addresses of its latest answer', async () => {
    answer = found(['10.0.0.1', '10.0.0.2']);
    const taker = new Taker(config(['db.test'], {}, true));
    expect(taker.endpoints).toEqual([]);
    await settle();
    expect(taker.endpoints).toMatchObject([{ address: 'db.test', addresses: ['10.0.0.1', '10.0.0.2'] }]);
    answer = found(['10.0.0.3']);
    await clock.pass(5_000);
    expect(taker.endpoints).toMatchObject([{ address: 'db.test', addresses: ['10.0.0.3'] }]);
    answer = { kind: 'none' };
    await clock.pass(5_000);
    expect(taker.endpoints).toMatchObject([{ address: 'db.test', addresses: ['10.0.0.3'] }]);
  });
});
