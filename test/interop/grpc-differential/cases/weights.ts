import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase } from '../case.ts';
import { HANG_MS } from './pieces.ts';

const split = (clusters: readonly JsonObject[], more: JsonObject = {}): readonly JsonObject[] => [
  { match: { prefix: '' }, route: { weighted_clusters: { clusters: [...clusters], ...more } } },
];
const share = (a: number, b: number) => [{ times: 400, atOnce: 20, share: { a, b } }];

const weights = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `weights-${name}`,
  area: 'weights',
  ...given,
});

export const WEIGHTS: readonly GrpcCase[] = [
  weights('80-20', {
    rule: '`weighted_clusters` 80 to 20',
    fetch: true,
    routes: split([
      { name: 'a', weight: 80 },
      { name: 'b', weight: 20 },
    ]),
    steps: share(0.8, 0.2),
  }),
  weights('sum', {
    rule: 'weights need not add up to 100',
    routes: split([
      { name: 'a', weight: 1 },
      { name: 'b', weight: 3 },
    ]),
    steps: share(0.25, 0.75),
  }),
  weights('zero', {
    rule: 'a cluster of weight 0 gets nothing',
    routes: split([
      { name: 'b', weight: 0 },
      { name: 'a', weight: 5 },
    ]),
    steps: [{ times: 20 }],
  }),
  weights('none', {
    rule: 'a cluster without a weight',
    routes: split([{ name: 'b' }, { name: 'a', weight: 5 }]),
    steps: [{ times: 20 }],
  }),
  weights('all-zero', {
    rule: 'weights that add up to 0 are refused',
    routes: split([
      { name: 'a', weight: 0 },
      { name: 'b', weight: 0 },
    ]),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  weights('total', {
    rule: '`total_weight` is not looked at',
    routes: split(
      [
        { name: 'a', weight: 50 },
        { name: 'b', weight: 50 },
      ],
      { total_weight: 100 },
    ),
    steps: share(0.5, 0.5),
  }),
  weights('total-other', {
    rule: '`total_weight` that is not the sum',
    routes: split(
      [
        { name: 'a', weight: 50 },
        { name: 'b', weight: 50 },
      ],
      { total_weight: 300 },
    ),
    steps: share(0.5, 0.5),
  }),
  weights('overflow', {
    rule: 'weights that add up to more than 2³² − 1 are refused',
    routes: split([
      { name: 'a', weight: 4_294_967_295 },
      { name: 'b', weight: 1 },
    ]),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  weights('large', {
    rule: 'weights up to 2³² − 1',
    routes: split([
      { name: 'a', weight: 3_000_000_000 },
      { name: 'b', weight: 1_000_000_000 },
    ]),
    steps: share(0.75, 0.25),
  }),
  weights('empty', {
    rule: 'an empty list is refused',
    routes: split([]),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  weights('cluster-missing', {
    rule: 'one of two clusters does not exist: its share fails, the rest does not',
    ignoresNacks: true,
    routes: split([
      { name: 'a', weight: 50 },
      { name: 'nobody', weight: 50 },
    ]),
    steps: [
      { quiet: true, times: 20, atOnce: 20, timeoutMs: 25_000 },
      { times: 400, atOnce: 20, timeoutMs: 6_000, share: { a: 0.5, UNAVAILABLE: 0.5 } },
    ],
  }),
];
