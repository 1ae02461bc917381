import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase } from '../case.ts';
import { balance, DISTINCT, places, REFUSED, shares, spread, three, WARM } from './balance.ts';

const drops = (numerator: number): JsonObject => ({
  policy: { drop_overloads: [{ category: 'lb', drop_percentage: { numerator, denominator: 'HUNDRED' } }] },
});

const LOCALITIES: readonly GrpcCase[] = [
  balance('round-robin', {
    rule: 'ROUND_ROBIN reaches every host',
    ...three({ lb_policy: 'ROUND_ROBIN' }),
    steps: DISTINCT,
  }),
  balance('locality-weights', {
    rule: 'localities of one priority share by `load_balancing_weight`',
    ...places({ hosts: ['a'], weight: 3 }, { hosts: ['b'], weight: 1 }),
    steps: shares({ a: 0.75, b: 0.25 }),
  }),
  balance('locality-weights-said', {
    rule: 'and so they do where the cluster says `locality_weighted_lb_config`',
    ...spread({
      localities: [
        { hosts: ['a'], weight: 3 },
        { hosts: ['b'], weight: 1 },
      ],
      fields: { common_lb_config: { locality_weighted_lb_config: {} } },
    }),
    steps: shares({ a: 0.75, b: 0.25 }),
  }),
  balance('locality-no-weight', {
    rule: 'a locality without a weight gets nothing',
    ...places({ hosts: ['a'] }, { hosts: ['b'], weight: null }),
    steps: shares({ a: 1 }),
  }),
  balance('locality-no-weights', {
    rule: 'no locality has a weight',
    ...places({ hosts: ['a'], weight: null }),
    steps: REFUSED,
  }),
  balance('locality-zero', {
    rule: 'a locality of weight 0 gets nothing',
    ...places({ hosts: ['a'] }, { hosts: ['b'], weight: 0 }),
    steps: shares({ a: 1 }),
  }),
  balance('locality-overflow', {
    rule: 'locality weights that add up to more than 2³² − 1 are refused',
    ...places({ hosts: ['a'], weight: 4_294_967_295 }, { hosts: ['b'], weight: 2 }),
    steps: REFUSED,
  }),
  balance('locality-twice', {
    rule: 'a locality that comes twice in a priority is refused',
    ...places({ hosts: ['a'], region: 'r' }, { hosts: ['b'], region: 'r' }),
    steps: REFUSED,
  }),
  balance('locality-empty', {
    rule: 'a locality without endpoints does no harm',
    ...places({ hosts: [] }, { hosts: ['a'] }),
    steps: [{ times: 5 }],
  }),
  balance('locality-twice-priorities', {
    rule: 'a locality may come in two priorities',
    ...places({ hosts: ['a'], region: 'r' }, { hosts: ['b'], region: 'r', priority: 1 }),
    steps: [{ times: 5 }],
  }),
  balance('endpoint-weights', {
    rule: 'ROUND_ROBIN: weights of endpoints',
    ...spread({
      hosts: [
        { host: 'a', weight: 3 },
        { host: 'b', weight: 1 },
      ],
    }),
    steps: shares({ a: 0.5, b: 0.5 }),
    differs: "Endpoint weights are heeded by ROUND_ROBIN, as in Envoy; gRPC's round robin has none.",
  }),
  balance('endpoint-twice', {
    rule: 'an address that comes twice is refused',
    ...places({ hosts: ['a', 'a'] }),
    steps: REFUSED,
  }),
  balance('priority', {
    rule: 'the second priority is not used while the first is well',
    ...places({ hosts: ['a'] }, { hosts: ['b'], priority: 1 }),
    steps: [{ times: 10 }],
  }),
  balance('priority-refused', {
    rule: 'the second priority is used where nobody of the first can be connected to',
    hosts: [{ name: 'a', refuses: true }, 'b'],
    ...places({ hosts: ['a'] }, { hosts: ['b'], priority: 1 }),
    steps: [{ until: 'OK b' }, { times: 5 }],
  }),
  balance('priority-unhealthy', {
    rule: 'the second priority is used where all of the first are UNHEALTHY',
    ...places({ hosts: [{ host: 'a', health: 'UNHEALTHY' }] }, { hosts: ['b'], priority: 1 }),
    steps: [{ times: 5 }],
  }),
  balance('priority-part', {
    rule: 'no overprovisioning: one of three that is well keeps the whole priority',
    ...places(
      {
        hosts: [{ host: 'a', health: 'UNHEALTHY' }, { host: 'b', health: 'UNHEALTHY' }, 'c'],
      },
      { hosts: ['d'], priority: 1 },
    ),
    hosts: ['a', 'b', 'c', 'd'],
    steps: [{ times: 200, atOnce: 10, share: { c: 1 } }],
    differs:
      "Envoy's overprovisioning factor (1.4) holds for gRPC calls too, so that both halves of a mesh spill over alike.",
  }),
  balance('priority-gap', {
    rule: 'a gap in the priorities is refused',
    ...places({ hosts: ['a'] }, { hosts: ['b'], priority: 2 }),
    steps: REFUSED,
  }),
  balance('priority-order', {
    rule: 'priorities may come in any order',
    ...places({ hosts: ['b'], priority: 1 }, { hosts: ['a'], priority: 0 }),
    steps: [{ times: 5 }],
  }),
];

const HEALTH: readonly GrpcCase[] = [
  balance('health', {
    rule: 'UNKNOWN and HEALTHY endpoints are used; UNHEALTHY, TIMEOUT, DEGRADED and DRAINING are not',
    hosts: ['a', 'b', 'c', 'd', 'e', 'f'],
    ...places({
      hosts: [
        { host: 'a', health: 'HEALTHY' },
        { host: 'b', health: 'UNKNOWN' },
        { host: 'c', health: 'UNHEALTHY' },
        { host: 'd', health: 'DRAINING' },
        { host: 'e', health: 'TIMEOUT' },
        { host: 'f', health: 'DEGRADED' },
      ],
    }),
    steps: [WARM, { times: 200, atOnce: 10, share: { a: 0.5, b: 0.5 } }],
  }),
  balance('health-draining', {
    rule: 'a DRAINING endpoint alone',
    ...places({ hosts: [{ host: 'a', health: 'DRAINING' }] }),
    steps: REFUSED,
  }),
  balance('health-degraded', {
    rule: 'a DEGRADED endpoint alone',
    ...places({ hosts: [{ host: 'a', health: 'DEGRADED' }] }),
    steps: REFUSED,
    differs: 'A DEGRADED endpoint is used where there is no better one, as in Envoy.',
  }),
  balance('health-none', {
    rule: 'all endpoints UNHEALTHY',
    ...places({ hosts: [{ host: 'a', health: 'UNHEALTHY' }] }),
    steps: REFUSED,
  }),
  balance('empty', {
    rule: 'no endpoints',
    ...spread({ assignment: { endpoints: [] } }),
    steps: REFUSED,
  }),
  balance('refused-one', {
    rule: 'a host that refuses connections is left out',
    hosts: ['a', { name: 'b', refuses: true }],
    ...places({ hosts: ['a', 'b'] }),
    steps: [WARM, { times: 20 }],
  }),
  balance('refused-all', {
    rule: 'nobody takes connections',
    hosts: [{ name: 'a', refuses: true }],
    ...places({ hosts: ['a'] }),
    steps: REFUSED,
  }),
  balance('drops', {
    rule: '`drop_overloads` of 100 %',
    ...spread({ hosts: ['a'], assignment: drops(100) }),
    steps: [{ times: 3 }],
  }),
  balance('drops-share', {
    rule: '`drop_overloads` of 40 %',
    ...spread({ hosts: ['a'], assignment: drops(40) }),
    steps: [
      { quiet: true, times: 10 },
      { times: 400, atOnce: 20, share: { a: 0.6, UNAVAILABLE: 0.4 } },
    ],
  }),
];

export const BALANCING: readonly GrpcCase[] = [...LOCALITIES, ...HEALTH];
