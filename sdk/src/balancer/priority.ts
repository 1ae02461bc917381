/**
 * How much of a priority can take traffic: endpoints, or their weights where those are its health. Draining endpoints
 * are out on purpose and count into no total (Envoy HostSet::excludedHosts).
 */
export interface PriorityHealth {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
  /** Endpoints, where that is not what is counted above: panic always goes by their number. */
  readonly counts?: EndpointCounts;
  /** Of its own, where priorities of several clusters are one list. */
  readonly overprovisioningFactor?: number;
}

export interface EndpointCounts {
  /** Draining ones too. */
  readonly all: number;
  readonly total: number;
  /** Healthy or degraded. */
  readonly usable: number;
}

/** Percent of the traffic for each priority's healthy and degraded endpoints; all of them together are 100. */
export interface PriorityLoads {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  /** Priorities that use all of their endpoints, whatever their health. */
  readonly panic: readonly boolean[];
}

export interface PrioritySettings {
  /** Percent, ClusterLoadAssignment.Policy.overprovisioning_factor. */
  readonly overprovisioningFactor: number;
  /** Percent, CommonLbConfig.healthy_panic_threshold; 0 = off. */
  readonly panicThreshold: number;
}

/** Whom one percent of the draws goes to. */
export interface PriorityChoice {
  readonly priority: number;
  readonly degraded: boolean;
}

const ALL = 100;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * Envoy's priority levels, degraded endpoints and panic threshold
 * (envoyproxy.io/docs, intro/arch_overview/upstream/load_balancing). Percentages are whole numbers, cut off as there.
 */
export function priorityLoads(levels: readonly PriorityHealth[], settings: PrioritySettings): PriorityLoads {
  const { panicThreshold } = settings;
  const scored = (
    { total, overprovisioningFactor = settings.overprovisioningFactor }: PriorityHealth,
    usable: number,
  ): number => (total === 0 ? 0 : Math.min(ALL, Math.floor((overprovisioningFactor * usable) / total)));
  const healthy = levels.map((level) => scored(level, level.healthy));
  const degraded = levels.map((level) => scored(level, level.degraded));
  const availability = Math.min(ALL, sum(healthy) + sum(degraded));
  const calm = levels.map(() => false);
  // Nobody is left and panic is off: the first priority gets everything, and has nobody to give it to.
  if (availability === 0 && panicThreshold < 1) return { ...onlyFirst(levels), panic: calm };
  const counts = levels.map(countsOf);
  const panic = availability === ALL ? calm : counts.map((count) => isInPanic(count, panicThreshold));
  if (panic.every(Boolean)) return { ...loadsByCount(counts.map(({ all }) => all)), panic };
  return { ...loadsByScore(healthy, degraded, availability), panic };
}

/** The loads of what is left where nobody goes to some of the priorities. */
export function loadsWithout(
  levels: readonly PriorityHealth[],
  without: ReadonlySet<number>,
  overprovisioningFactor: number,
): PriorityLoads {
  const left = levels.map((level, priority) => (without.has(priority) ? { ...level, healthy: 0, degraded: 0 } : level));
  return priorityLoads(left, { overprovisioningFactor, panicThreshold: 0 });
}

const countsOf = ({ total, healthy, degraded, counts }: PriorityHealth): EndpointCounts =>
  counts ?? { all: total, total, usable: healthy + degraded };

/** Envoy LoadBalancerBase::isHostSetInPanic; it cuts the threshold off to whole percents. */
const isInPanic = ({ total, usable }: EndpointCounts, threshold: number): boolean =>
  (total === 0 ? 0 : (ALL * usable) / total) < Math.min(ALL, Math.floor(threshold));

const onlyFirst = (levels: readonly unknown[]): Omit<PriorityLoads, 'panic'> => ({
  healthy: levels.map((_, priority) => (priority === 0 ? ALL : 0)),
  degraded: levels.map(() => 0),
});

function loadsByScore(healthyScores: readonly number[], degradedScores: readonly number[], availability: number) {
  let left = ALL;
  const take = (score: number): number => {
    const load = Math.min(left, Math.floor((score * ALL) / availability));
    left -= load;
    return load;
  };
  const healthy = healthyScores.map(take);
  const degraded = degradedScores.map(take);
  // What rounding left over goes to the first priority that has any healthy endpoint, else any degraded one.
  return healthyScores.some((score) => score > 0)
    ? { healthy: withRest(healthy, healthyScores, left), degraded }
    : { healthy, degraded: withRest(degraded, degradedScores, left) };
}

const withRest = (loads: readonly number[], scores: readonly number[], rest: number): readonly number[] => {
  const first = scores.findIndex((score) => score > 0);
  return loads.map((load, priority) => (priority === first ? load + rest : load));
};

/** Every priority panics: the load follows the number of endpoints. */
function loadsByCount(counts: readonly number[]): Omit<PriorityLoads, 'panic'> {
  const total = sum(counts);
  if (total === 0) return onlyFirst(counts);
  const loads = counts.map((count) => Math.floor((ALL * count) / total));
  return { healthy: withRest(loads, counts, ALL - sum(loads)), degraded: counts.map(() => 0) };
}

/** The choice of each of the 100 draws, in Envoy's order: healthy endpoints by priority, then degraded ones. */
export function priorityChoices(loads: PriorityLoads): readonly PriorityChoice[] {
  const spread = (percents: readonly number[], degraded: boolean): readonly PriorityChoice[] =>
    percents.flatMap((percent, priority) => new Array<PriorityChoice>(percent).fill({ priority, degraded }));
  return [...spread(loads.healthy, false), ...spread(loads.degraded, true)];
}
