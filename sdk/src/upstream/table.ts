import { effectiveLocalityWeight } from '../balancer/locality.ts';
import { normaliseWeights } from '../balancer/normalise.ts';
import { buildHashPicker, createPicker, isHashBalancer, type Picker } from '../balancer/picker.ts';
import {
  loadsWithout,
  type PriorityHealth,
  type PriorityLoads,
  priorityChoices,
  priorityLoads,
} from '../balancer/priority.ts';
import { createWeighted, peekWeighted, putBack, type Weighted } from '../balancer/weighted.ts';
import type { Cluster } from '../model/cluster.ts';
import type { LiveHost } from './host.ts';
import type { PriorityHosts } from './host-set.ts';
import { atOnce } from './newest.ts';
import { leftOut } from './tried-priorities.ts';
import type { Levels } from './types.ts';

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
  readonly input: TableInput;
  readonly levels: Levels;
  /** Tables without some priorities, by their numbers; made when first asked for. */
  detours: Map<string, Table> | undefined;
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

const NONE: ReadonlySet<number> = new Set();
const EMPTY: Pool = { panic: false, whole: undefined, localities: undefined };

/** Builds the table of a cluster, yielding between pieces of well under a millisecond where it hashes. */
export function* buildTable(input: TableInput, without: ReadonlySet<number> = NONE): Generator<void, Table> {
  const { cluster, priorities } = input;
  const levels = levelsOf(input, without);
  const { loads } = levels;
  const healthy: Pool[] = [];
  const degraded: Pool[] = [];
  for (const [priority, level] of priorities.entries()) {
    const kinds = poolKinds(loads, priority, isHashBalancer(cluster.loadBalancer));
    const pool = yield* buildPool(input, level, kinds.healthy);
    healthy.push(pool);
    degraded.push(kinds.degraded === kinds.healthy ? pool : yield* buildPool(input, level, kinds.degraded));
  }
  const pools = priorityChoices(loads).map(
    (choice) => (choice.degraded ? degraded : healthy)[choice.priority] ?? EMPTY,
  );
  const first = pools[0] ?? EMPTY;
  const isOne = pools.every((pool) => pool === first);
  return { only: isOne ? first : undefined, pools: isOne ? [] : pools, input, levels, detours: undefined };
}

/**
 * The table without the priorities that earlier attempts have tried; itself where there is no other. A priority that is
 * left out panics as it would (Envoy keeps per_priority_panic).
 */
export function tableAfter(table: Table, tried: readonly number[], updateFrequency: number): Table {
  const { priorities } = table.input;
  const isUsable = (priority: number): boolean =>
    priorities[priority]?.hosts.some((host) => host.availability !== 'out') === true;
  const without = leftOut(tried, updateFrequency, isUsable, priorities.length);
  if (without === undefined) return table;
  const key = [...without].sort().join();
  table.detours ??= new Map();
  let detour = table.detours.get(key);
  if (detour === undefined) {
    detour = atOnce(buildTable(table.input, without));
    table.detours.set(key, detour);
  }
  return detour;
}

function levelsOf(
  { cluster, priorities, overprovisioningFactor, weightedHealth }: TableInput,
  without: ReadonlySet<number>,
): Levels {
  const health = priorities.map(({ hosts }) => healthOf(hosts, weightedHealth));
  const loads = priorityLoads(health, { overprovisioningFactor, panicThreshold: cluster.panicThreshold });
  if (without.size === 0) return { health, overprovisioningFactor, loads };
  const left = loadsWithout(health, without, overprovisioningFactor);
  return { health, overprovisioningFactor, loads: { ...left, panic: loads.panic } };
}

type PoolKind = 'healthy' | 'degraded' | 'panic' | 'unused';

interface PoolKinds {
  readonly healthy: PoolKind;
  readonly degraded: PoolKind;
}

/**
 * Envoy's hash balancers have one table a priority, of its healthy hosts (of all, in panic): draws for its degraded ones
 * read that table too, and find nobody where it is empty.
 */
function poolKinds(loads: PriorityLoads, priority: number, isHash: boolean): PoolKinds {
  const isUsed = (kind: 'healthy' | 'degraded'): boolean => loads[kind][priority] !== 0;
  const kindOf = (kind: 'healthy' | 'degraded'): PoolKind => (loads.panic[priority] === true ? 'panic' : kind);
  if (isHash) {
    const kind = isUsed('healthy') || isUsed('degraded') ? kindOf('healthy') : 'unused';
    return { healthy: kind, degraded: kind };
  }
  return {
    healthy: isUsed('healthy') ? kindOf('healthy') : 'unused',
    degraded: isUsed('degraded') ? kindOf('degraded') : 'unused',
  };
}

const isDraining = ({ endpoint }: LiveHost): boolean => endpoint.health === 'draining';

function healthOf(hosts: readonly LiveHost[], isWeighted: boolean): PriorityHealth {
  const health = { total: 0, healthy: 0, degraded: 0, counts: { all: hosts.length, total: 0, usable: 0 } };
  for (const host of hosts) {
    if (isDraining(host)) continue;
    const { availability } = host;
    const count = isWeighted ? host.weight : 1;
    health.total += count;
    health.counts.total++;
    if (availability === 'out') continue;
    health[availability] += count;
    health.counts.usable++;
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
    const groups = cluster.localityWeighted
      ? level.localities.map(({ weight, hosts }) => ({ weight, hosts: selectHosts(hosts, kind) }))
      : [{ weight: 1, hosts: selectHosts(level.hosts, kind) }];
    const weights = normaliseWeights(groups);
    const picker = yield* buildHashPicker(cluster.loadBalancer, weights);
    return { panic, whole: { hosts: weights.hosts, picker }, localities: undefined };
  }
  if (panic && cluster.failTrafficOnPanic) return EMPTY;
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
      { weight, total: hosts.filter((host) => !isDraining(host)).length, usable: usable.length },
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
