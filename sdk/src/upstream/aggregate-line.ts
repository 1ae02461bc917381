import { remainder } from '../balancer/hash/words.ts';
import {
  loadsWithout,
  type PriorityHealth,
  type PriorityLoads,
  priorityChoices,
  priorityLoads,
} from '../balancer/priority.ts';
import type { Random } from '../clock.ts';
import { leftOut } from './tried-priorities.ts';
import type { Levels, PickContext, Upstream } from './types.ts';

/** One priority of one cluster of an aggregate. */
export interface Place {
  readonly member: Upstream;
  /** Other priorities of that cluster, which by itself it would use beside this one. */
  readonly others: readonly number[];
}

const ALL = 100;
const NOBODY: Levels = {
  health: [],
  overprovisioningFactor: ALL,
  loads: { healthy: [], degraded: [], panic: [] },
};

/**
 * The priorities of all clusters of an aggregate in a line, those of the first one first (gRFC A37; Envoy
 * ClusterRefreshManager, linearizePrioritySet): loads are shared out over it as over the priorities of one cluster.
 */
export class Line {
  readonly #members: readonly Upstream[];
  readonly #of: readonly Levels[];
  readonly #places: readonly Place[];
  readonly #health: readonly PriorityHealth[];
  readonly #choices: readonly Place[];
  /** Where one takes everything. */
  readonly #only: Place | undefined;

  constructor(members: readonly Upstream[], panicThreshold: number) {
    this.#members = members;
    this.#of = members.map((member) => member.levels() ?? NOBODY);
    this.#places = members.flatMap((member, index) => placesOf(member, this.#of[index] ?? NOBODY));
    this.#health = this.#of.flatMap(({ health, overprovisioningFactor }) =>
      health.map((level) => ({ ...level, overprovisioningFactor })),
    );
    this.#choices = this.#choicesOf(priorityLoads(this.#health, { overprovisioningFactor: ALL, panicThreshold }));
    const [first] = this.#choices;
    this.#only = this.#choices.every((place) => place === first) ? first : undefined;
  }

  /** Nothing has changed since it was made. */
  get isCurrent(): boolean {
    return this.#members.every((member, index) => (member.levels() ?? NOBODY) === this.#of[index]);
  }

  /** undefined: there is no priority at all. */
  draw({ hash, triedPriorities, priorityUpdateFrequency = 1 }: PickContext, random: Random): Place | undefined {
    const without = triedPriorities && this.#leftOut(triedPriorities, priorityUpdateFrequency);
    if (without === undefined && this.#only !== undefined) return this.#only;
    const choices = without ? this.#choicesOf(loadsWithout(this.#health, without, ALL)) : this.#choices;
    // Envoy takes the same hash for the priority and for the host.
    return choices[hash === undefined ? random() % ALL : remainder(hash.hi, hash.lo, ALL)];
  }

  /** How many priorities stand before those of this cluster. */
  offsetOf(name: string): number {
    let offset = 0;
    for (const [index, member] of this.#members.entries()) {
      if (member.name === name) break;
      offset += this.#of[index]?.health.length ?? 0;
    }
    return offset;
  }

  #leftOut(tried: readonly number[], frequency: number): ReadonlySet<number> | undefined {
    const isUsable = (place: number): boolean => {
      const level = this.#health[place];
      return level !== undefined && level.healthy + level.degraded > 0;
    };
    return leftOut(tried, frequency, isUsable, this.#health.length);
  }

  #choicesOf(loads: PriorityLoads): readonly Place[] {
    return priorityChoices(loads).flatMap(({ priority }) => this.#places[priority] ?? []);
  }
}

function placesOf(member: Upstream, { health, loads }: Levels): readonly Place[] {
  return health.map((_, priority) => {
    const isAlone = (loads.healthy[priority] ?? 0) + (loads.degraded[priority] ?? 0) === ALL;
    return { member, others: isAlone ? [] : [...health.keys()].filter((other) => other !== priority) };
  });
}
