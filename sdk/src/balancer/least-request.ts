import type { Random } from '../clock.ts';
import type { Start } from './round-robin.ts';
import { type Ramp, type RampedHost, slowStartFactor } from './slow-start.ts';
import { createWeighted, peekWeighted, putBack, type Weighted, weightsDiffer } from './weighted.ts';

/**
 * Envoy LEAST_REQUEST: of a few random hosts the one with the fewest requests under way (the power of two choices).
 * Where weights differ or hosts are new: a schedule in which a host counts weight / (active + 1)^active_request_bias.
 */
export interface LeastRequest {
  readonly kind: 'least-request';
  readonly settings: LeastRequestSettings;
  readonly schedule: Weighted | undefined;
  readonly ramp: Ramp | undefined;
}

export interface LeastRequestSettings {
  readonly choiceCount: number;
  /** Envoy LeastRequest.FULL_SCAN. */
  readonly fullScan?: boolean;
  /** 1 where absent (Envoy LeastRequestLbConfig.active_request_bias). */
  readonly activeRequestBias?: number;
}

interface LoadedHost extends RampedHost {
  readonly active: number;
}

export function createLeastRequest(
  hosts: readonly LoadedHost[],
  settings: LeastRequestSettings,
  { seed, nowMs }: Start,
  ramp: Ramp | undefined,
): LeastRequest {
  const state = { kind: 'least-request', settings, schedule: undefined, ramp } as const;
  if (ramp === undefined && !weightsDiffer(hosts)) return state;
  const weights = hosts.map((host) => weightNow(state, host, nowMs));
  return { ...state, schedule: createWeighted(weights, seed) };
}

function weightNow({ settings, ramp }: LeastRequest, host: LoadedHost, nowMs: number): number {
  const { activeRequestBias: bias = 1 } = settings;
  const load = host.active + 1;
  return (host.weight / (bias === 1 ? load : load ** bias)) * slowStartFactor(ramp, host, nowMs);
}

export function pickLeastRequest(
  state: LeastRequest,
  hosts: readonly LoadedHost[],
  { random, nowMs }: { readonly random: Random; readonly nowMs: number },
): number {
  if (state.schedule !== undefined) {
    const index = peekWeighted(state.schedule);
    const host = hosts[index];
    if (host !== undefined) putBack(state.schedule, weightNow(state, host, nowMs));
    return index;
  }
  if (hosts.length === 0) return -1;
  return state.settings.fullScan ? leastOfAll(hosts, random) : leastOf(hosts, state.settings.choiceCount, random);
}

/** Of those with the fewest requests a random one, each equally often: the n-th tied host takes over once in n times. */
function leastOfAll(hosts: readonly LoadedHost[], random: Random): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let tied = 0;
  for (const [index, { active }] of hosts.entries()) {
    if (active > least) continue;
    tied = active < least ? 1 : tied + 1;
    least = active;
    if (tied === 1 || random() % tied === 0) best = index;
  }
  return best;
}

/** Hosts may be drawn twice, and the first of equals stays, as in Envoy. */
function leastOf(hosts: readonly LoadedHost[], choices: number, random: Random): number {
  let best = random() % hosts.length;
  let least = hosts[best]?.active ?? 0;
  for (let choice = 1; choice < choices; choice++) {
    const index = random() % hosts.length;
    const active = hosts[index]?.active ?? 0;
    if (active < least) {
      best = index;
      least = active;
    }
  }
  return best;
}
