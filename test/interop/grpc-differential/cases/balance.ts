import type { JsonObject } from '@bufbuild/protobuf';
import type { CaseCluster, CaseLocality, GrpcCase, Step } from '../case.ts';
import { HANG_MS } from './pieces.ts';

/** Pieces of cases of balancing. */

export const balance = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `balance-${name}`,
  area: 'balancing',
  hosts: ['a', 'b', 'c'],
  ...given,
});

export const spread = (cluster: CaseCluster): Pick<GrpcCase, 'clusters' | 'routes'> => ({
  clusters: { all: cluster },
  routes: [{ match: { prefix: '' }, route: { cluster: 'all' } }],
});
export const places = (...localities: readonly CaseLocality[]) => spread({ localities });
export const three = (fields: JsonObject) => spread({ hosts: ['a', 'b', 'c'], fields });

/** Connections are made before anything is counted. */
export const WARM: Step = { times: 20, quiet: true };
export const DISTINCT: readonly Step[] = [WARM, { times: 30, tell: ['distinct'] }];
export const shares = (share: Readonly<Record<string, number>>): readonly Step[] => [
  WARM,
  { waitMs: 300 },
  { times: 600, atOnce: 20, share },
];
export const REFUSED: readonly Step[] = [{ timeoutMs: HANG_MS }];
