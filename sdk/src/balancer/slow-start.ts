import type { SlowStart } from '../model/cluster.ts';

/** What the slow start of a host goes by. */
export interface RampedHost {
  readonly weight: number;
  /** When it was first seen healthy; undefined while it is not healthy: such a host is not ramped. */
  readonly healthySinceMs: number | undefined;
}

/** Hosts of one picker that are new: until the newest of them is not, weights change with time. */
export interface Ramp {
  readonly slowStart: SlowStart;
  readonly untilMs: number;
}

/** undefined when no host is new. */
export function startRamp(
  slowStart: SlowStart | undefined,
  hosts: readonly RampedHost[],
  nowMs: number,
): Ramp | undefined {
  if (slowStart === undefined) return undefined;
  const newest = hosts.reduce((latest, { healthySinceMs = 0 }) => Math.max(latest, healthySinceMs), 0);
  const untilMs = newest + slowStart.windowMs;
  return nowMs < untilMs && hosts.some((host) => host.healthySinceMs !== undefined)
    ? { slowStart, untilMs }
    : undefined;
}

/** Part of the host's weight that counts now (Envoy EdfLoadBalancerBase::applySlowStartFactor). */
export function slowStartFactor(ramp: Ramp | undefined, { healthySinceMs }: RampedHost, nowMs: number): number {
  if (ramp === undefined || healthySinceMs === undefined || nowMs >= ramp.untilMs) return 1;
  const { windowMs, aggression, minWeightPercent } = ramp.slowStart;
  const forMs = Math.floor(nowMs - healthySinceMs);
  if (forMs >= windowMs) return 1;
  const time = Math.max(1, forMs) / windowMs;
  return Math.max(aggression === 1 ? time : time ** (1 / aggression), minWeightPercent / 100);
}
