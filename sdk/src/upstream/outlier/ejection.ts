import type { OutlierDetection } from '../../model/cluster.ts';
import type { EjectionReason } from '../../model/events.ts';

/** Where a host stands with ejections. A state that is lent, as those of pickers are. */
export interface EjectionState {
  isEjected: boolean;
  /** Of the last ejection; it lasts until the first check at or after `untilMs`. */
  sinceMs: number;
  untilMs: number;
  /** When it came back. */
  backMs: number;
  /** How many times the base time the next one lasts, less one (Envoy ejectTimeBackoff). */
  backOff: number;
  /** Drawn for this ejection. */
  jitterMs: number;
  /** Ejections so far. */
  count: number;
}

export const createEjectionState = (): EjectionState => ({
  isEjected: false,
  sinceMs: 0,
  untilMs: 0,
  backMs: 0,
  backOff: 0,
  jitterMs: 0,
  count: 0,
});

const PERCENT = 100;

/** Envoy 1.40 DetectorImpl::ejectHost: one more must not be more than the maximum, so 10 % of 9 hosts is nobody. */
export function hasRoom(ejected: number, hosts: number, rules: OutlierDetection): boolean {
  if (rules.alwaysEjectOneHost && ejected === 0) return true;
  return (PERCENT * (ejected + 1)) / hosts <= Math.min(PERCENT, rules.maxEjectionPercent);
}

/** The `enforcing…` percentages; what is not enforced is only detected. */
export function isEnforced(reason: EjectionReason, rules: OutlierDetection, draw: number): boolean {
  return draw % PERCENT < enforcing(reason, rules);
}

export function enforcing(reason: EjectionReason, rules: OutlierDetection): number {
  switch (reason) {
    case 'consecutive-5xx':
      return rules.enforcingConsecutive5xx;
    case 'consecutive-gateway-failure':
      return rules.enforcingConsecutiveGatewayFailure;
    case 'consecutive-local-origin-failure':
      return rules.enforcingConsecutiveLocalOriginFailure;
    case 'success-rate':
      return rules.successRate.enforcing;
    case 'success-rate-local-origin':
      return rules.successRate.enforcingLocalOrigin;
    case 'failure-percentage':
      return rules.failurePercentage.enforcing;
    case 'failure-percentage-local-origin':
      return rules.failurePercentage.enforcingLocalOrigin;
  }
}

export function eject(state: EjectionState, rules: OutlierDetection, nowMs: number, draw: number): void {
  state.isEjected = true;
  state.sinceMs = nowMs;
  state.count++;
  state.jitterMs = draw % (Math.floor(rules.maxEjectionTimeJitterMs) + 1);
  const { baseEjectionTimeMs, maxEjectionTimeMs } = rules;
  if (state.backOff * baseEjectionTimeMs < maxEjectionTimeMs + baseEjectionTimeMs) state.backOff++;
  state.untilMs = endOf(state, rules);
}

/** By the rules as they are now: a new configuration holds for ejections under way. */
export const endOf = ({ sinceMs, backOff, jitterMs }: EjectionState, rules: OutlierDetection): number =>
  sinceMs + Math.min(rules.baseEjectionTimeMs * backOff, rules.maxEjectionTimeMs) + jitterMs;

export function bringBack(state: EjectionState, nowMs: number): void {
  state.isEjected = false;
  state.backMs = nowMs;
}

/** At the end of an interval: a host that has been back for a whole one is forgiven one ejection. */
export function decay(state: EjectionState, rules: OutlierDetection, nowMs: number): void {
  if (!state.isEjected && state.backOff > 0 && nowMs - state.backMs >= rules.intervalMs) state.backOff--;
}
