import type { LoadWeighted as Settings } from '../model/cluster.ts';
import { type ReportedWeight, usableWeight } from './load-weight.ts';
import type { Start } from './round-robin.ts';
import { type RampedHost, slowStartFactor, startRamp } from './slow-start.ts';
import { createStride, type Stride, takerOf } from './stride.ts';

/** gRFC A58, weighted_round_robin: turns by what hosts report of their load; plain turns until enough is known. */
export interface LoadWeighted {
  readonly kind: 'load-weighted';
  readonly settings: Settings;
  stride: Stride | undefined;
  /** The turn that is next: both kinds count with it. */
  turn: number;
  /** When weights are reckoned anew. By picks, not by a timer: a cluster that is not called costs nothing. */
  dueMs: number;
}

export interface ReportingHost extends RampedHost {
  readonly reported?: ReportedWeight | undefined;
}

export function createLoadWeighted(
  hosts: readonly ReportingHost[],
  settings: Settings,
  { seed, nowMs }: Start,
): LoadWeighted {
  const state: LoadWeighted = { kind: 'load-weighted', settings, stride: undefined, turn: seed, dueMs: nowMs };
  reckon(state, hosts, nowMs);
  return state;
}

function reckon(state: LoadWeighted, hosts: readonly ReportingHost[], nowMs: number): void {
  const { settings } = state;
  state.dueMs = nowMs + settings.updateMs;
  const ramp = startRamp(settings.slowStart, hosts, nowMs);
  state.stride = createStride(
    hosts.map((host) => usableWeight(host.reported, settings, nowMs) * slowStartFactor(ramp, host, nowMs)),
  );
}

export const peekLoadWeighted = ({ stride, turn }: LoadWeighted, hosts: readonly unknown[]): number =>
  hosts.length === 0 ? -1 : (stride === undefined ? turn : takerOf(stride, turn)) % hosts.length;

export function pickLoadWeighted(state: LoadWeighted, hosts: readonly ReportingHost[], nowMs: number): number {
  if (nowMs >= state.dueMs) reckon(state, hosts, nowMs);
  if (hosts.length === 0) return -1;
  const taken = state.stride === undefined ? state.turn : takerOf(state.stride, state.turn);
  state.turn = (taken + 1) >>> 0;
  return taken % hosts.length;
}
