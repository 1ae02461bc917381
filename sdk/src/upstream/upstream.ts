import { isHashBalancer, NO_HASH } from '../balancer/picker.ts';
import type { Clock, Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { LoadAssignment } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { Hash64 } from '../model/hash.ts';
import type { ClusterConfig } from '../model/target.ts';
import { type Choice, chooseHost } from './choose.ts';
import { type Host, type HostView, type LiveHost, viewOf } from './host.ts';
import { NO_HOSTS, reconcileHosts } from './host-set.ts';
import { createOriginalDestinations, type Destination } from './original-destination.ts';
import { type ClusterLoad, LivePick, noHost, type Pick, type PickFailure } from './pick.ts';
import type { Table } from './table.ts';
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
  /** Stops a build that is under way; its hosts count as removed. Picks made before stay valid. */
  close(): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
}

export function createUpstream(initial: ClusterConfig, { clock, random, emit }: UpstreamDeps): Upstream {
  let config = initial;
  let hosts = NO_HOSTS;
  const load: ClusterLoad = { active: 0 };
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
      nowMs: clock.now(),
      weightedHealth: assignmentOf(config)?.weightedPriorityHealth === true,
    }),
    warn: (message) => emit({ kind: 'warning', message: `cluster ${name}: ${message}` }),
  });
  const choice: Choice = {
    hash: NO_HASH,
    attempt: 0,
    random,
    active: 0,
    nowMs: 0,
    hashed: false,
    take: true,
    stale: false,
  };

  const apply = (): void => {
    const assignment = assignmentOf(config);
    if (assignment !== undefined) {
      hosts = reconcileHosts(hosts, assignment, { useHostname: hashesHostname(config), nowMs: clock.now() });
    }
    tables.rebuild(isHashBalancer(config.cluster.loadBalancer));
  };

  const choose = (table: Table, { hash, exclude, selectionAttempts }: PickContext): LiveHost | undefined => {
    choice.stale = tables.stale;
    const { loadBalancer } = config.cluster;
    choice.hashed = isHashBalancer(loadBalancer);
    choice.active = load.active;
    if ('slowStart' in loadBalancer) choice.nowMs = clock.now();
    if (choice.hashed) choice.hash = hash ?? { hi: choice.random(), lo: choice.random() };
    return chooseHost(table, choice, exclude, selectionAttempts ?? defaultOf('hostSelectionAttempts'));
  };

  const find = (context: PickContext): LiveHost | PickFailure => {
    if (config.cluster.discovery.kind === 'original-dst') {
      const destination = context.originalDestination;
      return destination === undefined
        ? noHost(`${name} goes to the address that was dialled, and there is none`)
        : destinations.hostOf(destination, choice.take);
    }
    const table = tables.current;
    if (table === undefined) return noHost(`the first table of ${name} is still being built`);
    return choose(table, context) ?? noHost(whyNone(config, hosts.byAddress.size));
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
      const found = find(context);
      return 'kind' in found ? found : new LivePick(found, load);
    },
    peek(context, chance = () => 0) {
      choice.take = false;
      choice.random = chance;
      try {
        const found = find(context);
        return 'kind' in found ? found : { kind: 'peek', host: found };
      } finally {
        choice.take = true;
        choice.random = random;
      }
    },
    hosts: () => [...hosts.byAddress.values(), ...destinations.all()].map(viewOf),
    close() {
      tables.close();
      for (const host of [...hosts.byAddress.values(), ...destinations.all()]) host.removed = true;
    },
  };
}

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
