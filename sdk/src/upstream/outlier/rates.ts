import type { OutlierDetection } from '../../model/cluster.ts';
import type { EjectionReason } from '../../model/events.ts';

/** A host's share of good outcomes in the interval that has ended. */
export interface Rate<T> {
  readonly of: T;
  readonly total: number;
  readonly good: number;
}

export interface Suspect<T> {
  readonly of: T;
  readonly reason: EjectionReason;
  readonly successPercent: number;
}

/** Whose the rates are: of answers, or of connections. */
export type Origin = 'external' | 'local';

const PERCENT = 100;
const THOUSANDTHS = 1_000;

/**
 * Envoy DetectorImpl::processSuccessRateEjections over the hosts that are not ejected: first those below the mean minus
 * so many standard deviations, then those with too many failures. `hosts` is the cluster's number of them.
 */
export function suspectsByRate<T>(
  rates: readonly Rate<T>[],
  hosts: number,
  origin: Origin,
  rules: OutlierDetection,
): readonly Suspect<T>[] {
  const { successRate, failurePercentage } = rules;
  if (hosts < successRate.minimumHosts && hosts < failurePercentage.minimumHosts) return [];
  const used = rates.filter(({ total }) => total > 0);
  return [...bySuccess(used, origin, successRate), ...byFailures(used, origin, failurePercentage)];
}

function bySuccess<T>(
  rates: readonly Rate<T>[],
  origin: Origin,
  { minimumHosts, requestVolume, stdevFactor }: OutlierDetection['successRate'],
): readonly Suspect<T>[] {
  const counted = rates.filter(({ total }) => total >= requestVolume).map(asPercent);
  if (counted.length === 0 || counted.length < minimumHosts) return [];
  const mean = average(counted.map(({ percent }) => percent));
  const deviation = Math.sqrt(average(counted.map(({ percent }) => (percent - mean) ** 2)));
  const threshold = mean - (stdevFactor / THOUSANDTHS) * deviation;
  const reason = origin === 'external' ? 'success-rate' : 'success-rate-local-origin';
  return counted
    .filter(({ percent }) => percent < threshold)
    .map(({ of, percent }) => ({ of, reason, successPercent: percent }));
}

function byFailures<T>(
  rates: readonly Rate<T>[],
  origin: Origin,
  { minimumHosts, requestVolume, threshold }: OutlierDetection['failurePercentage'],
): readonly Suspect<T>[] {
  const counted = rates.filter(({ total }) => total >= requestVolume).map(asPercent);
  if (counted.length === 0 || counted.length < minimumHosts) return [];
  const reason = origin === 'external' ? 'failure-percentage' : 'failure-percentage-local-origin';
  return counted
    .filter(({ percent }) => PERCENT - percent >= threshold)
    .map(({ of, percent }) => ({ of, reason, successPercent: percent }));
}

const asPercent = <T>({ of, total, good }: Rate<T>) => ({ of, percent: (good * PERCENT) / total });

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
