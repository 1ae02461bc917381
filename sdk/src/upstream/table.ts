import { effectiveLocalityWeight } from '../balancer/locality.ts';
import { normaliseWeights } from '../balancer/normalise.ts';
import { buildHashPicker, createPicker, isHashBalancer, type Picker } from '../balancer/picker.ts';
import { type PriorityHealth, type PriorityLoads, priorityChoices, priorityLoads } from '../balancer/priority.ts';
import { createWeighted, peekWeighted, putBack, type Weighted } from '../balancer/weighted.ts';
import type { Cluster } from '../model/cluster.ts';
import type { LiveHost } from './host.ts';
import type { PriorityHosts } from './host-set.ts';

/** Hosts to choose from and the state of the choice. */
export interface Source {
  readonly hosts: readonly LiveHost[];
  readonly picker: Picker;
}

/** What one percent of the draws gets: one list of hosts, or a schedule of localities with a list each. */
export interface Pool {
  /** All hosts whatever their health, because their priority panics. */
  readonly panic: boolean;
  readonly whole: Source | undefined;
  readonly localities: LocalityPool | undefined;
}

export interface LocalityPool {
  readonly schedule: Weighted;
  readonly weights: readonly number[];
  readonly sources: readonly Source[];
}

/** Everything a pick reads. Immutable but for the pickers' own state. */
export interface Table {
  /** The only pool, where one gets all of the traffic; else `pools` has one for each of 100 draws. */
  readonly only: Pool | undefined;
  readonly pools: readonly Pool[];
}

export interface TableInput {
  readonly cluster: Cluster;
  readonly priorities: readonly PriorityHosts[];
  readonly overprovisioningFactor: number;
  /** Where turns begin. */
  readonly seed: number;
  readonly nowMs: number;
  /** ClusterLoadAssignment.Policy.weighted_priority_health. */
  readonly weightedHealth: boolean;
}

const EMPTY: Pool = { panic: false, whole: undefined, localities: undefined };

/** Builds the table of a cluster, yielding between pieces of well under a millisecond where it hashes. */
export function* buildTable(input: TableInput): Generator<void, Table> {
  const { cluster, priorities, overprovisioningFactor } = input;
  const loads = priorityLoads(
    priorities.map(({ hosts }) => healthOf(hosts, input.weightedHealth)),
    { overprovisioningFactor, panicThreshold: cluster.panicThreshold },
  );
  const healthy: Pool[] = [];
  const degraded: Pool[] = [];
  for (const [priority, level] of priorities.entries()) {
    healthy.push(yield* buildPool(input, level, poolKind(loads, priority, 'healthy')));
    degraded.push(yield* buildPool(input, level, poolKind(loads, priority, 'degraded')));
  }
  const pools = priorityChoices(loads).map(
    (choice) => (choice.degraded ? degraded : healthy)[choice.priority] ?? EMPTY,
  );
  const first = pools[0] ?? EMPTY;
  return pools.every((pool) => pool === first) ? { only: first, pools: [] } : { only: undefined, pools };
}

type PoolKind = 'healthy' | 'degraded' | 'panic' | 'unused';

const poolKind = (loads: PriorityLoads, priority: number, kind: 'healthy' | 'degraded'): PoolKind => {
  if (loads[kind][priority] === 0) return 'unused';
  return loads.panic[priority] === true ? 'panic' : kind;
};

function healthOf(hosts: readonly LiveHost[], isWeighted: boolean): PriorityHealth {
  const health = { total: 0, healthy: 0, degraded: 0 };
  for (const { availability, weight } of hosts) {
    const count = isWeighted ? weight : 1;
    health.total += count;
    if (availability !== 'out') health[availability] += count;
  }
  return health;
}

const selectHosts = (hosts: readonly LiveHost[], kind: PoolKind): readonly LiveHost[] =>
  kind === 'panic' || hosts.every((host) => host.availability === kind)
    ? hosts
    : hosts.filter((host) => host.availability === kind);

function* buildPool(input: TableInput, level: PriorityHosts, kind: PoolKind): Generator<void, Pool> {
  if (kind === 'unused') return EMPTY;
  const { cluster } = input;
  const panic = kind === 'panic';
  if (isHashBalancer(cluster.loadBalancer)) {
    // Envoy's hash balancers build over healthy hosts (all, in panic) and never over degraded ones.
    if (kind === 'degraded') return EMPTY;
    const groups = cluster.localityWeighted
      ? level.localities.map(({ weight, hosts }) => ({ weight, hosts: selectHosts(hosts, kind) }))
      : [{ weight: 1, hosts: selectHosts(level.hosts, kind) }];
    const weights = normaliseWeights(groups);
    const picker = yield* buildHashPicker(cluster.loadBalancer, weights);
    return { panic, whole: { hosts: weights.hosts, picker }, localities: undefined };
  }
  const localities = cluster.localityWeighted && !panic ? createLocalityPool(input, level, kind) : undefined;
  if (localities !== undefined) return { panic, whole: undefined, localities };
  return {
    panic,
    whole: createSource(input, selectHosts(level.hosts, kind)),
    localities: undefined,
  };
}

function createSource(input: TableInput, hosts: readonly LiveHost[]): Source | undefined {
  const { loadBalancer } = input.cluster;
  if (hosts.length === 0 || isHashBalancer(loadBalancer)) return undefined;
  return { hosts, picker: createPicker(loadBalancer, hosts, input) };
}

/** undefined when no locality has a weight: Envoy then picks from the whole priority. */
function createLocalityPool(input: TableInput, level: PriorityHosts, kind: PoolKind): LocalityPool | undefined {
  const weights: number[] = [];
  const sources: Source[] = [];
  for (const { weight, hosts } of level.localities) {
    const usable = selectHosts(hosts, kind);
    const source = createSource(input, usable);
    const effective = effectiveLocalityWeight(
      { weight, total: hosts.length, usable: usable.length },
      input.overprovisioningFactor,
    );
    if (source === undefined || effective === 0) continue;
    weights.push(effective);
    sources.push(source);
  }
  return sources.length === 0 ? undefined : { schedule: createWeighted(weights, input.seed), weights, sources };
}

/** The hosts whose turn it is; takes the turn unless only peeking. */
export function chooseSource(pool: Pool, take: boolean): Source | undefined {
  if (pool.localities === undefined) return pool.whole;
  const { schedule, weights, sources } = pool.localities;
  const index = peekWeighted(schedule);
  if (take) putBack(schedule, weights[index] ?? 1);
  return sources[index];
}
