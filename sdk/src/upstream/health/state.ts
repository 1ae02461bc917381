import type { Random } from '../../clock.ts';
import type { HealthCheck } from '../../model/health-check.ts';

/** What one check found. `isRetriable`: counts towards the threshold; any other failure is believed at once. */
export type CheckResult =
  | { readonly kind: 'ok'; readonly isDegraded: boolean }
  | { readonly kind: 'failed'; readonly isRetriable: boolean; readonly reason: string };

/** Where a host stands with its health checks. A state that is lent, as those of pickers are. */
export interface HealthState {
  /** A host cannot be used before its first good check. */
  isHealthy: boolean;
  isDegraded: boolean;
  isChecked: boolean;
  /** In a row, while the state is the other one. */
  good: number;
  bad: number;
  /** Of the last failure. */
  reason: string;
}

export const createHealthState = (isHealthy = false): HealthState => ({
  isHealthy,
  isDegraded: false,
  isChecked: false,
  good: 0,
  bad: 0,
  reason: 'not checked yet',
});

/** `pending`: a change has begun, and the threshold is not reached. */
export type Transition = 'none' | 'pending' | 'changed';

/** Envoy HealthCheckerImplBase::ActiveHealthCheckSession::handleSuccess and handleFailure. */
export function take(state: HealthState, result: CheckResult, check: HealthCheck): Transition {
  const isFirst = !state.isChecked;
  state.isChecked = true;
  return result.kind === 'ok' ? succeed(state, result.isDegraded, isFirst, check) : fail(state, result, check);
}

function succeed(state: HealthState, isDegraded: boolean, isFirst: boolean, check: HealthCheck): Transition {
  const wasDegraded = state.isDegraded;
  state.bad = 0;
  state.isDegraded = isDegraded;
  if (state.isHealthy) return wasDegraded === isDegraded ? 'none' : 'changed';
  // The first check of all is enough, so that a start is quick.
  if (!isFirst && ++state.good < check.healthyThreshold) return 'pending';
  state.isHealthy = true;
  state.good = 0;
  return 'changed';
}

type Failure = Extract<CheckResult, { kind: 'failed' }>;

function fail(state: HealthState, { isRetriable, reason }: Failure, check: HealthCheck): Transition {
  state.good = 0;
  state.reason = reason;
  if (!state.isHealthy) return 'none';
  if (isRetriable && ++state.bad < check.unhealthyThreshold) return 'pending';
  state.isHealthy = false;
  state.bad = 0;
  return 'changed';
}

/** What the time to the next check depends on. */
export interface Since {
  readonly isOk: boolean;
  readonly transition: Transition;
  /** The cluster has been called. */
  readonly isUsed: boolean;
}

const SHORTEST_MS = 1;

/** Envoy HealthCheckerImplBase::interval, with its jitter. */
export function nextCheckMs(check: HealthCheck, since: Since, random: Random): number {
  const baseMs = baseOf(check, since);
  const share = (check.intervalJitterPercent * baseMs) / 100;
  return Math.max(SHORTEST_MS, baseMs + drawn(share, random) + drawn(check.intervalJitterMs, random));
}

export const firstCheckMs = (check: HealthCheck, random: Random): number => drawn(check.initialJitterMs, random);

function baseOf(check: HealthCheck, { isOk, transition, isUsed }: Since): number {
  if (!isUsed) return isOk ? check.noTrafficHealthyIntervalMs : check.noTrafficIntervalMs;
  if (isOk) return transition === 'pending' ? check.healthyEdgeIntervalMs : check.intervalMs;
  return transition === 'pending' ? check.unhealthyEdgeIntervalMs : check.unhealthyIntervalMs;
}

const drawn = (mostMs: number, random: Random): number => (mostMs >= 1 ? random() % Math.floor(mostMs) : 0);
