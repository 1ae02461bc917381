import type { JsonObject } from '@bufbuild/protobuf';
import { seededRandom } from '../../harness/seeded-random.ts';
import type { BalanceCase, Group } from './cases.ts';

/** Clusters that nobody thought of: any mix of policies, priorities, localities, weights, states and settings. */

const COUNT = process.env.INMESH_INTEROP !== 'brief' ? 300 : 60;
const random = seededRandom(Number(process.env.INMESH_INTEROP_SEED ?? 1));
const below = (bound: number): number => random() % bound;
const oneOf = <T>(first: T, ...others: readonly T[]): T => [first, ...others][below(others.length + 1)] ?? first;

/** The first kinds choose by hash, so they can be compared key by key. */
export const BY_HASH: ReadonlySet<unknown> = new Set(['RING_HASH', 'MAGLEV']);

function group(): Group {
  // Some groups are well, some are not.
  const letters = oneOf('HHHHHH-', 'HHHU', 'HHGUDT', 'GU', 'HUUUU');
  const size = below(9);
  return {
    hosts: Array.from({ length: size }, () => letters[below(letters.length)]).join(''),
    weights: Array.from({ length: size }, () => 1 + below(6)),
    priority: below(3),
    zone: oneOf('a', 'b', 'c'),
    ...(below(4) > 0 && { weight: 1 + below(5) }),
  };
}

function settings(): JsonObject {
  const localities: JsonObject = oneOf<JsonObject>(
    {},
    { locality_weighted_lb_config: {} },
    { locality_weighted_lb_config: {} },
    { zone_aware_lb_config: { fail_traffic_on_panic: true } },
  );
  return { healthy_panic_threshold: { value: oneOf(0, 0, 30, 50, 66.7, 100) }, ...localities };
}

export const GENERATED: readonly BalanceCase[] = Array.from({ length: COUNT }, (_, index) => ({
  name: `generated-${index}`,
  groups: Array.from({ length: 1 + below(5) }, group),
  policy: {
    overprovisioning_factor: oneOf(140, 140, 100, 173, 250),
    ...(below(3) === 0 && { weighted_priority_health: true }),
  },
  cluster: { lb_policy: oneOf('RING_HASH', 'MAGLEV', 'ROUND_ROBIN'), common_lb_config: settings() },
}));
