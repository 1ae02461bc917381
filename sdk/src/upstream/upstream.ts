import { remainder } from '../balancer/hash/words.ts';
import { isHashBalancer, NO_HASH, peek, pick } from '../balancer/picker.ts';
import type { Clock, Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { LoadAssignment } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { Hash64 } from '../model/hash.ts';
import type { ClusterConfig } from '../model/target.ts';
import { type Host, type HostView, type LiveHost, viewOf } from './host.ts';
import { NO_HOSTS, reconcileHosts } from './host-set.ts';
import { createOriginalDestinations, type Destination } from './original-destination.ts';
import { LivePick, noHost, type Pick, type PickFailure } from './pick.ts';
import { chooseSource, type Pool, type Table } from './table.ts';
import { createTables } from './tables.ts';

export interface PickContext {
  /** What the route's hash policies gave; a random one stands in for it. */
  readonly hash?: Hash64;
  /** Hosts to avoid, e.g. those of earlier attempts. */
  readonly exclude?: (host: Host) => boolean;
  /** How often to choose again when `exclude` says so (Envoy host_selection_retry_max_attempts); then it is taken anyway. */
  readonly selectionAttempts?: number;
  /** For ORIGINAL_DST clusters: the address the application dialled. */
  readonly originalDestination?: Destination;
}

/** What a pick would give now. */
export interface Peek {
  readonly kind: 'peek';
  readonly host: Host;
}

/** Live state of one cluster: its hosts with their counters, and who of them is next. */
export interface Upstream {
  readonly name: string;
  config(): ClusterConfig;
  /** Takes over a new configuration: hosts that stay keep their counters; tables are rebuilt where they change. */
  update(config: ClusterConfig): void;
  /** Resolves once picks go by the newest configuration. */
  prepare(): Promise<void>;
  pick(context: PickContext): Pick | PickFailure;
  /** As `pick`, but nothing changes. Without a source of chance every draw is 0. */
  peek(context: PickContext, random?: Random): Peek | PickFailure;
  hosts(): readonly HostView[];
  /** Stops a build that is under way. Picks made before stay valid. */
  close(): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
}

/** Hosts tried while the table is older than the endpoints, before the first usable one is taken. */
const STALE_ATTEMPTS = 16;
const PERCENT = 100;

export function createUpstream(initial: ClusterConfig, { clock, random, emit }: UpstreamDeps): Upstream {
  let config = initial;
  let hosts = NO_HOSTS;
  const { name } = initial.cluster;
  const destinations = createOriginalDestinations(defaultOf('originalDestinationHosts'));
  const tables = createTables({
    clock,
    sliceMs: defaultOf('sliceMs'),
    input: () => ({
      cluster: config.cluster,
      priorities: hosts.priorities,
      overprovisioningFactor: assignmentOf(config)?.overprovisioningFactor ?? defaultOf('overprovisioning'),
      // A new start for every table: with the same one, frequent updates would favour the host that stands there.
      seed: random(),
    }),
    warn: (message) => emit({ kind: 'warning', message: `cluster ${name}: ${message}` }),
  });
  const draw = { hash: NO_HASH, attempt: 0, random };

  const apply = (): void => {
    const assignment = assignmentOf(config);
    if (assignment !== undefined) hosts = reconcileHosts(hosts, assignment, hashesHostname(config));
    tables.rebuild(isHashBalancer(config.cluster.loadBalancer));
  };

  /** One choice from a pool. While a new table is built, hosts that have gone or failed since are passed over. */
  const chooseFrom = (pool: Pool, take: boolean): LiveHost | undefined => {
    const source = chooseSource(pool, take);
    if (source === undefined) return undefined;
    const next = take ? pick : peek;
    const host = source.hosts[next(source.picker, source.hosts, draw)];
    if (!tables.stale || host === undefined || isUsable(host, pool)) return host;
    const first = draw.attempt;
    for (draw.attempt++; draw.attempt <= first + STALE_ATTEMPTS; draw.attempt++) {
      const other = source.hosts[next(source.picker, source.hosts, draw)];
      if (other !== undefined && isUsable(other, pool)) return other;
    }
    return source.hosts.find((candidate) => isUsable(candidate, pool));
  };

  const poolFor = ({ only, pools }: Table, hashed: boolean): Pool | undefined => {
    if (only !== undefined) return only;
    // Envoy takes the same hash for the priority and for the host.
    return pools[hashed ? remainder(draw.hash.hi, draw.hash.lo, PERCENT) : draw.random() % PERCENT];
  };

  const choose = (table: Table, context: PickContext, take: boolean): LiveHost | undefined => {
    const hashed = isHashBalancer(config.cluster.loadBalancer);
    if (hashed) draw.hash = context.hash ?? { hi: draw.random(), lo: draw.random() };
    const attempts =
      context.exclude === undefined ? 0 : (context.selectionAttempts ?? defaultOf('hostSelectionAttempts'));
    for (let attempt = 0; ; attempt++) {
      const pool = poolFor(table, hashed);
      draw.attempt = attempt;
      const host = pool === undefined ? undefined : chooseFrom(pool, take);
      if (host === undefined || attempt >= attempts || context.exclude?.(host) !== true) return host;
    }
  };

  const find = (context: PickContext, take: boolean): LiveHost | PickFailure => {
    if (config.cluster.discovery.kind === 'original-dst') {
      const destination = context.originalDestination;
      return destination === undefined
        ? noHost(`${name} goes to the address that was dialled, and there is none`)
        : destinations.hostOf(destination);
    }
    const table = tables.current;
    if (table === undefined) return noHost(`the first table of ${name} is still being built`);
    return choose(table, context, take) ?? noHost(whyNone(config, hosts.byAddress.size));
  };

  apply();
  return {
    name,
    config: () => config,
    update(next) {
      const previous = config;
      config = next;
      if (!isSameForPicks(previous, next)) apply();
    },
    prepare: () => tables.settled(),
    pick(context) {
      const found = find(context, true);
      return 'kind' in found ? found : new LivePick(found);
    },
    peek(context, chance = () => 0) {
      draw.random = chance;
      try {
        const found = find(context, false);
        return 'kind' in found ? found : { kind: 'peek', host: found };
      } finally {
        draw.random = random;
      }
    },
    hosts: () => [...hosts.byAddress.values(), ...destinations.all()].map(viewOf),
    close: () => tables.close(),
  };
}

const isUsable = (host: LiveHost, pool: Pool): boolean => !host.removed && (pool.panic || host.availability !== 'out');

const assignmentOf = ({ cluster, assignment }: ClusterConfig): LoadAssignment | undefined =>
  assignment ?? ('assignment' in cluster.discovery ? cluster.discovery.assignment : undefined);

const hashesHostname = ({ cluster: { loadBalancer } }: ClusterConfig): boolean =>
  isHashBalancer(loadBalancer) && loadBalancer.useHostname;

/** Both give the same table over the same hosts. */
const isSameForPicks = (one: ClusterConfig, other: ClusterConfig): boolean =>
  assignmentOf(one) === assignmentOf(other) &&
  one.cluster.panicThreshold === other.cluster.panicThreshold &&
  one.cluster.localityWeighted === other.cluster.localityWeighted &&
  JSON.stringify(one.cluster.loadBalancer) === JSON.stringify(other.cluster.loadBalancer);

function whyNone(config: ClusterConfig, count: number): string {
  const { name } = config.cluster;
  if (assignmentOf(config) === undefined) return `no endpoints of ${name} have been received`;
  return count === 0 ? `${name} has no endpoints` : `none of the ${count} endpoints of ${name} is healthy`;
}
