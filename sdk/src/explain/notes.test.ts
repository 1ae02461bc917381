import { describe, expect, it } from 'vitest';
import type { ForwardAction } from '../model/action.ts';
import { notesOn, notesOnDrops } from './notes.ts';

const ACTION: ForwardAction = {
  kind: 'forward',
  clusters: [],
  hashPolicies: [],
  appendXForwardedHost: false,
  mirrors: [],
  priority: 'default',
};
const RETRY = {
  on: ['unavailable'],
  retriableStatusCodes: [],
  numRetries: 2,
  baseIntervalMs: 25,
  maxIntervalMs: 250,
  previousHosts: false,
  hostSelectionAttempts: 1,
};
const half = { numerator: 50, denominator: 100 } as const;

describe('notes on a route', () => {
  it.each<[string, Partial<ForwardAction>, readonly string[]]>([
    ['nothing', {}, []],
    [
      'faults',
      { fault: { delay: { ms: 5_000, fraction: half }, abort: { httpStatus: 503, fraction: half }, scope: 'attempt' } },
      [
        'fault: 50 % are delayed by 5 s, drawn for each attempt',
        'fault: 50 % are answered 503, drawn for each attempt',
      ],
    ],
    [
      'faults that the request asks for',
      { fault: { abort: { fraction: { numerator: 1, denominator: 1_000_000 }, fromHeader: true } } },
      ['fault: 0.0001 % are answered what the request asks for'],
    ],
    [
      'mirrors',
      {
        mirrors: [
          { cluster: 'c', fraction: half, shadowSuffix: true },
          { cluster: '', clusterHeader: 'x-to', fraction: half, shadowSuffix: true },
        ],
      },
      ['mirror: 50 % to c', 'mirror: 50 % to the cluster that header x-to names'],
    ],
    ['retries', { retry: RETRY }, []],
    [
      'a late try that nothing retries',
      { retry: { ...RETRY, perTryTimeoutMs: 500 } },
      [
        'retries.perTryTimeout: a try that is late is not retried, it ends the call: want 5xx, gateway-error or reset in retryOn',
      ],
    ],
    [
      'tries that do not fit into the call',
      { timeoutMs: 1_000, retry: { ...RETRY, on: ['5xx'], perTryTimeoutMs: 500 } },
      [
        'retries.perTryTimeout: 0.5 s × 3 calls is 1.5 s, more than the timeout of 1 s: the last tries are cut short or never made',
      ],
    ],
  ])('%s', (_, action, expected) => {
    expect(notesOn({ ...ACTION, ...action })).toEqual(expected);
  });
});

it('tells which calls to the cluster are given up', () => {
  const assignment = { clusterName: 'a', localities: [], overprovisioningFactor: 140 };
  expect(notesOnDrops(undefined)).toEqual([]);
  expect(notesOnDrops({ ...assignment, drops: [{ category: 'lb', fraction: half }] })).toEqual([
    '50 % are given up: 503 (lb)',
  ]);
});
