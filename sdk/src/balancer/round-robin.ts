import { createWeighted, peekWeighted, putBack, type Weighted, weightsDiffer } from './weighted.ts';

/** Envoy ROUND_ROBIN: in turn, from a random start; by schedule where weights differ. */
export interface RoundRobin {
  readonly kind: 'round-robin';
  readonly schedule: Weighted | undefined;
  next: number;
}

type WeightedHost = { readonly weight: number };

export const createRoundRobin = (hosts: readonly WeightedHost[], seed: number): RoundRobin => ({
  kind: 'round-robin',
  schedule: weightsDiffer(hosts)
    ? createWeighted(
        hosts.map((host) => host.weight),
        seed,
      )
    : undefined,
  next: seed,
});

export function peekRoundRobin(state: RoundRobin, hosts: readonly WeightedHost[]): number {
  if (state.schedule !== undefined) return peekWeighted(state.schedule);
  return hosts.length === 0 ? -1 : state.next % hosts.length;
}

export function pickRoundRobin(state: RoundRobin, hosts: readonly WeightedHost[]): number {
  const index = peekRoundRobin(state, hosts);
  if (state.schedule !== undefined) putBack(state.schedule, hosts[index]?.weight ?? 1);
  else state.next = (state.next + 1) >>> 0;
  return index;
}
