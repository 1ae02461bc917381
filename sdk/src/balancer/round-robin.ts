import { type Ramp, type RampedHost, slowStartFactor } from './slow-start.ts';
import { createWeighted, peekWeighted, putBack, type Weighted, weightsDiffer } from './weighted.ts';

/** Envoy ROUND_ROBIN: in turn, from a random start; by schedule where weights differ or hosts are new. */
export interface RoundRobin {
  readonly kind: 'round-robin';
  readonly schedule: Weighted | undefined;
  readonly ramp: Ramp | undefined;
  next: number;
}

/** Where turns begin, and when. */
export interface Start {
  readonly seed: number;
  readonly nowMs: number;
}

export const createRoundRobin = (
  hosts: readonly RampedHost[],
  { seed, nowMs }: Start,
  ramp: Ramp | undefined,
): RoundRobin => ({
  kind: 'round-robin',
  schedule:
    ramp !== undefined || weightsDiffer(hosts)
      ? createWeighted(
          hosts.map((host) => host.weight * slowStartFactor(ramp, host, nowMs)),
          seed,
        )
      : undefined,
  ramp,
  next: seed,
});

export function peekRoundRobin(state: RoundRobin, hosts: readonly RampedHost[]): number {
  if (state.schedule !== undefined) return peekWeighted(state.schedule);
  return hosts.length === 0 ? -1 : state.next % hosts.length;
}

export function pickRoundRobin(state: RoundRobin, hosts: readonly RampedHost[], nowMs: number): number {
  const index = peekRoundRobin(state, hosts);
  if (state.schedule === undefined) {
    state.next = (state.next + 1) >>> 0;
    return index;
  }
  const host = hosts[index];
  if (host !== undefined) putBack(state.schedule, host.weight * slowStartFactor(state.ramp, host, nowMs));
  return index;
}
