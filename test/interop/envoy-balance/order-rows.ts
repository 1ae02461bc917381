import type { BalanceCase } from './cases.ts';

export interface OrderRow {
  readonly rule: string;
  readonly balanceCase: BalanceCase;
  /** Turns begin anywhere: so many starts there are. */
  readonly starts: number;
}

/** Weights are powers of two: their schedule is exact arithmetic, so that equal deadlines are equal here and there. */
export const ORDER_ROWS: readonly OrderRow[] = [
  {
    rule: 'round robin: equal hosts in turn',
    balanceCase: { name: 'order-equal', groups: [{ hosts: 'HHHHHHH' }] },
    starts: 7,
  },
  {
    rule: 'round robin: the healthy ones in turn',
    balanceCase: { name: 'order-healthy', groups: [{ hosts: 'HUHD-HTU-H' }, { hosts: 'HUH', zone: 'b' }] },
    starts: 8,
  },
  {
    rule: 'round robin by weight: earliest deadline first',
    balanceCase: { name: 'order-weights', groups: [{ hosts: 'HHHHH', weights: [1, 2, 4, 1, 8] }] },
    starts: 16,
  },
  {
    rule: 'round robin by weight, some hosts out',
    balanceCase: { name: 'order-weights-out', groups: [{ hosts: 'HUHDHH', weights: [4, 2, 4, 1, 8, 16] }] },
    starts: 32,
  },
  {
    rule: 'round robin by weight, everybody in panic',
    balanceCase: { name: 'order-panic', groups: [{ hosts: 'UHUUU', weights: [1, 2, 4, 1, 8] }] },
    starts: 16,
  },
  {
    rule: 'least request by weight, nothing under way',
    balanceCase: {
      name: 'order-least',
      cluster: { lb_policy: 'LEAST_REQUEST' },
      groups: [{ hosts: 'HHHH', weights: [2, 1, 4, 1] }],
    },
    starts: 8,
  },
];

/** Localities in turn by weight, and in each its own hosts in turn. */
export const LOCALITY_ORDER: BalanceCase = {
  name: 'order-localities',
  cluster: { common_lb_config: { locality_weighted_lb_config: {} } },
  groups: [
    { hosts: 'HHH', zone: 'b', weight: 2 },
    { hosts: 'HH', zone: 'c', weight: 1 },
    { hosts: 'HHHHH', zone: 'a', weight: 4 },
  ],
};
export const LOCALITY_STARTS = 7;
