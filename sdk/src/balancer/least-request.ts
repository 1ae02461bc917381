import type { Random } from '../clock.ts';
import { createWeighted, peekWeighted, putBack, type Weighted, weightsDiffer } from './weighted.ts';

/**
 * Envoy LEAST_REQUEST: of a few random hosts the one with the fewest requests under way (the power of two choices).
 * Where weights differ: a schedule in which a host counts weight / (active + 1), Envoy's active_request_bias of 1.
 */
export interface LeastRequest {
  readonly kind: 'least-request';
  readonly choices: number;
  readonly schedule: Weighted | undefined;
}

type LoadedHost = { readonly weight: number; readonly active: number };

export const createLeastRequest = (hosts: readonly LoadedHost[], choices: number, seed: number): LeastRequest => ({
  kind: 'least-request',
  choices,
  schedule: weightsDiffer(hosts) ? createWeighted(hosts.map(biasedWeight), seed) : undefined,
});

const biasedWeight = (host: LoadedHost): number => host.weight / (host.active + 1);

export function pickLeastRequest(state: LeastRequest, hosts: readonly LoadedHost[], random: Random): number {
  if (state.schedule !== undefined) {
    const index = peekWeighted(state.schedule);
    const host = hosts[index];
    if (host !== undefined) putBack(state.schedule, biasedWeight(host));
    return index;
  }
  return hosts.length === 0 ? -1 : leastOf(hosts, state.choices, random);
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
