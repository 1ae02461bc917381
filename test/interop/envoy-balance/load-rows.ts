import type { JsonObject } from '@bufbuild/protobuf';
import { heldSteps } from '../envoy-hash/cases.ts';
import type { BalanceCase } from './cases.ts';
import { policyList } from './share-rows.ts';

/** Where a request goes with others under way. */
export interface LoadRow {
  readonly rule: string;
  readonly balanceCase: BalanceCase;
  /** Requests held at each host. */
  readonly loads: readonly number[];
  readonly shares: readonly number[];
}

const least = (fields: JsonObject): JsonObject => ({ lb_policy: 'LEAST_REQUEST', least_request_lb_config: fields });
const bias = (value: number): JsonObject =>
  least({ active_request_bias: { default_value: value, runtime_key: 'none' } });
/** Of `count` hosts drawn from 4, the one at this rank of business is the least busy. */
const ranked = (count: number): readonly number[] =>
  [4, 3, 2, 1].map((left) => (left ** count - (left - 1) ** count) / 4 ** count);
const fullScan = policyList('least_request.v3.LeastRequest', { selection_method: 'FULL_SCAN' });

export const LOAD_ROWS: readonly LoadRow[] = [
  row('least request, 2 choices', least({}), 'HHHH', [0, 1, 2, 3], ranked(2)),
  row('least request, 3 choices', least({ choice_count: 3 }), 'HHHH', [0, 1, 2, 3], ranked(3)),
  row('least request, 4 choices', least({ choice_count: 4 }), 'HHHH', [0, 1, 2, 3], ranked(4)),
  row('least request, as busy as each other', least({}), 'HHHH', [2, 2, 2, 2], [0.25, 0.25, 0.25, 0.25]),
  row('least request, all hosts compared', fullScan, 'HHHHH', [1, 0, 2, 0, 3], [0, 0.5, 0, 0.5, 0]),
  row('least request by weight, bias 1', least({}), 'HHH', [0, 1, 3], [1 / 3, 1 / 3, 1 / 3], [1, 2, 4]),
  row('least request by weight, bias 0', bias(0), 'HHH', [0, 1, 3], [1 / 7, 2 / 7, 4 / 7], [1, 2, 4]),
  row('least request by weight, bias 2', bias(2), 'HHH', [0, 1, 3], [4 / 7, 2 / 7, 1 / 7], [1, 2, 4]),
];

function row(
  rule: string,
  cluster: JsonObject,
  hosts: string,
  loads: readonly number[],
  shares: readonly number[],
  weights?: readonly number[],
): LoadRow {
  const name = `load-${rule.replace(/\W+/g, '-')}`;
  return { rule, loads, shares, balanceCase: { name, cluster, groups: [{ hosts, ...(weights && { weights }) }] } };
}

interface Held {
  readonly host: number;
  answer(): Promise<void> | void;
}

/** Holds requests until each host has as many as it is to have, and answers the others. */
export async function loadHosts(loads: readonly number[], hold: () => Promise<Held> | Held): Promise<readonly Held[]> {
  const held: Held[] = [];
  const at = (host: number): number => held.filter((request) => request.host === host).length;
  while (loads.some((load, host) => at(host) < load)) {
    if (held.length > 200) throw new Error(`${held.length} requests did not bring the loads ${loads.join(', ')}`);
    held.push(await hold());
  }
  const kept: Held[] = [];
  for (const request of held) {
    if (kept.filter(({ host }) => host === request.host).length < (loads[request.host] ?? 0)) kept.push(request);
    else await request.answer();
  }
  return kept;
}

const bounded = (name: string, policy: string, balanceFactor: number, fields: Partial<BalanceCase>): BalanceCase => ({
  name,
  groups: [],
  ...fields,
  cluster: {
    lb_policy: policy,
    common_lb_config: {
      healthy_panic_threshold: { value: 0 },
      consistent_hashing_lb_config: { hash_balance_factor: balanceFactor },
    },
  },
});

/** Bounded load beyond what envoy-hash asks: with priorities, states and weights. */
export const BOUNDED: readonly BalanceCase[] = [
  bounded('bounded-ring-weights', 'RING_HASH', 120, {
    groups: [{ hosts: 'HHHHHHHH', weights: [1, 2, 3, 1, 5, 1, 1, 9] }],
  }),
  bounded('bounded-ring-priorities', 'RING_HASH', 150, {
    groups: [{ hosts: 'HHUUHU' }, { hosts: 'HHHHHH', priority: 1 }],
  }),
  bounded('bounded-maglev-states', 'MAGLEV', 100, { groups: [{ hosts: 'HDHTH-UHG' }] }),
  bounded('bounded-maglev-priorities', 'MAGLEV', 200, {
    groups: [
      { hosts: 'HUU', weights: [3, 1, 1] },
      { hosts: 'HHHHH', weights: [1, 1, 2, 2, 9], priority: 1 },
    ],
  }),
];

/** The hosts of requests with two hot keys among them, a third of which end on the way. */
export async function boundedPicks(hold: (key: string) => Promise<Held> | Held): Promise<readonly number[]> {
  const held: Held[] = [];
  for (const step of heldSteps(120)) {
    if ('ask' in step) held.push(await hold(step.ask));
    else await held[step.answer]?.answer();
  }
  for (const request of held) await request.answer();
  return held.map(({ host }) => host);
}
