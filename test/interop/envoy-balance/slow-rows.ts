import type { JsonObject } from '@bufbuild/protobuf';
import type { BalanceCase, Group } from './cases.ts';

export const WINDOW_MS = 4_000;

export interface SlowRow {
  readonly rule: string;
  readonly balanceCase: BalanceCase;
  /** The endpoints from the beginning of the window on. */
  readonly after: readonly Group[];
  /** The host that came. */
  readonly fresh: number;
  /** Its share of the requests at this part of the window; 1 and more: afterwards. */
  share(time: number): number;
}

interface Settings {
  readonly aggression?: number;
  readonly minWeightPercent?: number;
  readonly policy?: 'ROUND_ROBIN' | 'LEAST_REQUEST';
  readonly weights?: readonly [number, number, number];
}

function row(
  rule: string,
  { aggression = 1, minWeightPercent, policy = 'ROUND_ROBIN', weights = [1, 1, 1] }: Settings,
): SlowRow {
  const slowStart: JsonObject = {
    slow_start_window: `${WINDOW_MS / 1_000}s`,
    aggression: { default_value: aggression, runtime_key: 'none' },
    ...(minWeightPercent !== undefined && { min_weight_percent: { value: minWeightPercent } }),
  };
  const field = policy === 'ROUND_ROBIN' ? 'round_robin_lb_config' : 'least_request_lb_config';
  const [first, second, fresh] = weights;
  return {
    rule,
    balanceCase: {
      name: `slow-${rule.replace(/\W+/g, '-')}`,
      live: true,
      cluster: { lb_policy: policy, [field]: { slow_start_config: slowStart } },
      groups: [{ hosts: 'HH', weights: [first, second] }],
    },
    after: [{ hosts: 'HHH', weights }],
    fresh: 2,
    share(time) {
      const factor = time >= 1 ? 1 : Math.max(time ** (1 / aggression), (minWeightPercent ?? 10) / 100);
      return (fresh * factor) / (first + second + fresh * factor);
    },
  };
}

/** Envoy SlowStartConfig: weight × max(min_weight_percent, time ^ (1 / aggression)). */
export const SLOW_ROWS: readonly SlowRow[] = [
  row('round robin, aggression 1', {}),
  row('round robin, aggression 2', { aggression: 2 }),
  row('round robin, aggression 0.5', { aggression: 0.5 }),
  row('round robin, at least 50 %', { minWeightPercent: 50 }),
  row('round robin, weights 1, 1 and 4', { weights: [1, 1, 4] }),
  row('least request, aggression 1', { policy: 'LEAST_REQUEST' }),
];
