/** What is asked of Envoy: clusters that differ in everything its hash balancers read. */

export interface CaseHost {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly hashKey?: string;
  readonly hostname?: string;
  readonly unhealthy?: true;
  /** Index into the case's localities; 0 where it has none. */
  readonly locality?: number;
}

export interface CaseLocality {
  readonly zone: string;
  readonly priority: number;
  readonly weight: number;
}

export interface CaseSettings {
  readonly minimumRingSize?: number;
  readonly maximumRingSize?: number;
  readonly murmur?: true;
  readonly tableSize?: number;
  readonly useHostname?: true;
  /** Percent, hash_balance_factor. */
  readonly balanceFactor?: number;
  /** Percent; off where absent. */
  readonly panicThreshold?: number;
  /** Present = locality weighted. */
  readonly localityWeighted?: true;
}

export interface HashCase {
  readonly name: string;
  readonly policy: 'RING_HASH' | 'MAGLEV';
  readonly settings: CaseSettings;
  readonly localities?: readonly CaseLocality[];
  readonly hosts: readonly CaseHost[];
}

/** A recorded case: for each key the index of the host that Envoy chose, and what its admin says of the table. */
export interface HashVector extends HashCase {
  readonly envoy: string;
  /** Envoy's gauges, e.g. `ring_hash_lb.size`. */
  readonly gauges: Readonly<Record<string, number>>;
  readonly picks: Readonly<Record<string, number>>;
}

/** A request that is not answered yet, or the answer to the n-th of them. */
export type HeldStep = { readonly ask: string } | { readonly answer: number };

/** Bounded load: where each request goes depends on those under way. */
export interface HeldVector extends HashCase {
  readonly envoy: string;
  readonly steps: readonly HeldStep[];
  /** Index of the host, for each `ask` in turn. */
  readonly picks: readonly number[];
}

/** All IPv4 hosts share one port: one server on 0.0.0.0 is all of them. */
export const SERVER_PORT = 18_431;
/** IPv6 has one loopback address, so its hosts differ by port. */
export const SERVER_PORTS_V6 = [18_441, 18_442, 18_443, 18_444, 18_445] as const;

/** Weights 1 to 5 in no order that the addresses follow. */
const weightAt = (index: number): number => 1 + ((index * 7 + Math.floor(index / 5) * 3) % 5);

const addressAt = (index: number): string => `127.${77 + (index % 3)}.${index >>> 6}.${1 + (index & 63)}`;

const hosts = (count: number, weight: (index: number) => number = weightAt): readonly CaseHost[] =>
  Array.from({ length: count }, (_, index) => ({
    address: addressAt(index),
    port: SERVER_PORT,
    weight: weight(index),
  }));

const same = (): number => 1;

const ring = (
  name: string,
  list: readonly CaseHost[],
  settings: CaseSettings,
  localities?: readonly CaseLocality[],
): HashCase => ({
  name: `ring-${name}`,
  policy: 'RING_HASH',
  settings,
  hosts: list,
  ...(localities === undefined ? {} : { localities }),
});

const maglev = (
  name: string,
  list: readonly CaseHost[],
  settings: CaseSettings,
  localities?: readonly CaseLocality[],
): HashCase => ({
  ...ring(name, list, settings, localities),
  name: `maglev-${name}`,
  policy: 'MAGLEV',
});

const ZONES: readonly CaseLocality[] = [
  { zone: 'zone-c', priority: 0, weight: 3 },
  { zone: 'zone-a', priority: 0, weight: 1 },
  { zone: 'zone-b', priority: 0, weight: 5 },
];
const FAILOVER: readonly CaseLocality[] = [
  { zone: 'zone-a', priority: 0, weight: 1 },
  { zone: 'zone-b', priority: 1, weight: 1 },
];

const zoned = hosts(17).map((host, index) => ({ ...host, locality: index % 3 }));
/** Half of the first priority is out, so it gets 70 % of the keys. */
const failing = hosts(16).map((host, index) => ({
  ...host,
  locality: index < 8 ? 0 : 1,
  ...(index < 4 ? { unhealthy: true as const } : {}),
}));
/** Names in upper and lower case, of all lengths, some beyond ASCII: hashed as UTF-8. */
const named = hosts(10).map((host, index) => ({
  ...host,
  hashKey: `${'Größe-名-x'.slice(index % 7)}-${'k'.repeat(index * 5)}${index}`,
}));
const hostnamed = hosts(10).map((host, index) =>
  index < 7 ? { ...host, hostname: `node-${index}.example.com` } : host,
);
const v6 = SERVER_PORTS_V6.map((port, index) => ({ address: '::1', port, weight: weightAt(index) }));

/** Priorities of 20 hosts, of each the given number healthy. */
const healthyOf = (...counts: readonly number[]): readonly CaseHost[] =>
  hosts(counts.length * 20).map((host, index) => {
    const locality = Math.floor(index / 20);
    return { ...host, locality, ...(index % 20 < (counts[locality] ?? 0) ? {} : { unhealthy: true as const }) };
  });
const THREE: readonly CaseLocality[] = [0, 1, 2].map((priority) => ({ zone: `zone-${priority}`, priority, weight: 1 }));

export const CASES: readonly HashCase[] = [
  ring('3-default', hosts(3, same), {}),
  ring('5-weights', hosts(5), { minimumRingSize: 1024 }),
  ring('10-small', hosts(10), { minimumRingSize: 100 }),
  ring('50-capped', hosts(50), { minimumRingSize: 1000, maximumRingSize: 1000 }),
  ring('100-64k', hosts(100), { minimumRingSize: 65_536 }),
  ring('100-fewer-entries-than-hosts', hosts(100), { minimumRingSize: 1, maximumRingSize: 64 }),
  ring('1000-default', hosts(1000), {}),
  ring('1000-256k', hosts(1000), { minimumRingSize: 262_144 }),
  ring('10-murmur', hosts(10), { murmur: true }),
  ring('10-hash-key', named, {}),
  ring('10-murmur-hash-key', named, { murmur: true }),
  ring('10-hostname', hostnamed, { useHostname: true }),
  ring('5-ipv6', v6, {}),
  ring('17-localities', zoned, { minimumRingSize: 333, maximumRingSize: 500, localityWeighted: true }, ZONES),
  ring('16-priorities', failing, {}, FAILOVER),
  ring('60-three-priorities', healthyOf(5, 5, 4), {}, THREE),
  ring('40-panic', healthyOf(1, 13), { panicThreshold: 50 }, FAILOVER),
  ring('40-total-panic', healthyOf(1, 3), { panicThreshold: 50 }, FAILOVER),
  maglev('3-default', hosts(3, same), {}),
  maglev('5-weights', hosts(5), {}),
  maglev('10-weights', hosts(10), {}),
  maglev('50-weights', hosts(50), {}),
  maglev('100-1009', hosts(100), { tableSize: 1009 }),
  maglev('1000-default', hosts(1000), {}),
  maglev('1000-131071', hosts(1000), { tableSize: 131_071 }),
  maglev('100-fewer-slots-than-hosts', hosts(100), { tableSize: 61 }),
  maglev('10-hash-key', named, {}),
  maglev('10-hostname', hostnamed, { useHostname: true }),
  maglev('5-ipv6', v6, {}),
  maglev('17-localities', zoned, { localityWeighted: true }, ZONES),
  maglev('16-priorities', failing, {}, FAILOVER),
];

/** Apart: these go by what is under way, so their requests must come one after the other. */
export const BOUNDED_CASES: readonly HashCase[] = [
  ring('10-bounded-125', hosts(10), { balanceFactor: 125 }),
  ring('40-bounded-100', hosts(40), { balanceFactor: 100, murmur: true }),
  ring('17-bounded-localities', zoned, { balanceFactor: 150, localityWeighted: true }, ZONES),
  maglev('20-bounded-110', hosts(20), { balanceFactor: 110 }),
  maglev('3-bounded-300', hosts(3), { balanceFactor: 300 }),
];

/** Two hot keys among others; in the second half every third step ends an earlier request. */
export function heldSteps(count: number): readonly HeldStep[] {
  let answered = 0;
  return Array.from({ length: count }, (_, index) => {
    if (index > count / 2 && index % 3 === 0) return { answer: answered++ };
    return { ask: index % 5 < 3 ? `hot-${(index >>> 4) % 2}` : `key-${index * 31}` };
  });
}

/** Header values of all lengths around the hash's blocks of 4, 8 and 32 bytes, some with bytes beyond ASCII. */
export function keysOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    if (index % 10 === 7) return `${index}-${'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(3).slice(0, index % 83)}`;
    if (index % 10 === 3) return `é${index}ÿ`;
    return index % 2 === 0 ? `u${index}` : `session-${(index * 2_654_435_761) % 4_294_967_296}`;
  });
}
