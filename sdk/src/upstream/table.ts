import { effectiveLocalityWeight } from '../balancer/locality.ts';
import { normaliseWeights } from '../balancer/normalise.ts';
import { buildHashPicker, createPicker, isHashBalancer, type Picker } from '../balancer/picker.ts';
import { type PriorityLoads, priorityChoices, priorityLoads } from '../balancer/priority.ts';
import { createWeighted, peekWeighted, putBack, type Weighted } from '../balancer/weighted.ts';
import type { Cluster, LoadBalancer } from '../model/cluster.ts';
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
}

const EMPTY: Pool = { panic: false, whole: undefined, localities: undefined };

/** Builds the table of a cluster, yielding between pieces of well under a millisecond where it hashes. */
export function* buildTable(input: TableInput): Generator<void, Table> {
  const { cluster, priorities, overprovisioningFactor } = input;
  const loads = priorityLoads(
    priorities.map(({ hosts }) => ({
      total: hosts.length,
      healthy: countOf(hosts, 'healthy'),
      degraded: countOf(hosts, 'degraded'),
    })),
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
  return { only: pools.every((pool) => pool === first) ? first : undefined, pools };
}

type PoolKind = 'healthy' | 'degraded' | 'panic' | 'unused';

const poolKind = (loads: PriorityLoads, priority: number, kind: 'healthy' | 'degraded'): PoolKind => {
  if (loads[kind][priority] === 0) return 'unused';
  return loads.panic[priority] === true ? 'panic' : kind;
};

const countOf = (hosts: readonly LiveHost[], availability: LiveHost['availability']): number =>
  hosts.reduce((count, host) => (host.availability === availability ? count + 1 : count), 0);

const selectHosts = (hosts: readonly LiveHost[], kind: PoolKind): readonly LiveHost[] =>
  kind === 'panic' ? hosts : hosts.filter((host) => host.availability === kind);

function* buildPool(input: TableInput, level: PriorityHosts, kind: PoolKind): Generator<void, Pool> {
  if (kind === 'unused') return EMPTY;
  const { cluster, seed } = input;
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
    whole: createSource(cluster.loadBalancer, selectHosts(level.hosts, kind), seed),
    localities: undefined,
  };
}

function createSource(balancer: LoadBalancer, hosts: readonly LiveHost[], seed: number): Source | undefined {
  if (hosts.length === 0 || isHashBalancer(balancer)) return undefined;
  return { hosts, picker: createPicker(balancer, hosts, seed) };
}

/** undefined when no locality has a weight: Envoy then picks from the whole priority. */
function createLocalityPool(input: TableInput, level: PriorityHosts, kind: PoolKind): LocalityPool | undefined {
  const weights: number[] = [];
  const sources: Source[] = [];
  for (const { weight, hosts } of level.localities) {
    const usable = selectHosts(hosts, kind);
    const source = createSource(input.cluster.loadBalancer, usable, input.seed);
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
