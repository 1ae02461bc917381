import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase } from '../case.ts';
import { balance, DISTINCT, REFUSED, shares, spread, three, WARM } from './balance.ts';
import { policies } from './pieces.ts';

const ROUND_ROBIN_ONLY: JsonObject = policies(['round_robin.v3.RoundRobin']);
const within = (inner: JsonObject): JsonObject => ({ endpoint_picking_policy: inner.load_balancing_policy ?? {} });

export const POLICIES: readonly GrpcCase[] = [
  balance('least-request', {
    rule: '`lb_policy: LEAST_REQUEST`',
    ...three({ lb_policy: 'LEAST_REQUEST' }),
    steps: DISTINCT,
  }),
  balance('typed-least-request', {
    rule: 'a typed LeastRequest alone',
    ...three(policies(['least_request.v3.LeastRequest', { choice_count: 2 }])),
    steps: DISTINCT,
  }),
  balance('typed-least-request-behind', {
    rule: 'a typed LeastRequest, RoundRobin behind it',
    ...three(policies(['least_request.v3.LeastRequest'], ['round_robin.v3.RoundRobin'])),
    steps: DISTINCT,
  }),
  balance('typed-round-robin', { rule: 'a typed RoundRobin', ...three(ROUND_ROBIN_ONLY), steps: DISTINCT }),
  balance('typed-wrr-locality', {
    rule: 'a typed WrrLocality over RoundRobin shares by locality weights',
    ...spread({
      localities: [
        { hosts: ['a'], weight: 3 },
        { hosts: ['b'], weight: 1 },
      ],
      fields: policies(['wrr_locality.v3.WrrLocality', within(ROUND_ROBIN_ONLY)]),
    }),
    steps: shares({ a: 0.75, b: 0.25 }),
  }),
  balance('typed-round-robin-localities', {
    rule: 'a typed RoundRobin alone does not look at locality weights',
    ...spread({
      localities: [
        { hosts: ['a'], weight: 3 },
        { hosts: ['b'], weight: 1 },
      ],
      fields: ROUND_ROBIN_ONLY,
    }),
    steps: shares({ a: 0.5, b: 0.5 }),
  }),
  balance('typed-before-enum', {
    rule: '`load_balancing_policy` goes before `lb_policy`',
    ...three({ lb_policy: 'MAGLEV', ...ROUND_ROBIN_ONLY }),
    steps: DISTINCT,
  }),
  balance('typed-first-known', {
    rule: 'the first policy of the list that is known is taken',
    ...three(policies(['cluster_provided.v3.ClusterProvided'], ['round_robin.v3.RoundRobin'])),
    steps: DISTINCT,
  }),
  balance('typed-unknown', {
    rule: 'no policy of the list is known: refused',
    ...three(policies(['subset.v3.Subset'])),
    steps: REFUSED,
  }),
  balance('typed-empty', { rule: 'an empty list is refused', ...three({ load_balancing_policy: {} }), steps: REFUSED }),
  balance('typed-pick-first', {
    rule: 'a typed PickFirst keeps to one host',
    ...three(policies(['pick_first.v3.PickFirst', { shuffle_address_list: false }])),
    steps: [WARM, { times: 10, tell: ['distinct'] }],
  }),
  balance('typed-pick-first-shuffled', {
    rule: 'and so where it shuffles',
    ...three(policies(['pick_first.v3.PickFirst', { shuffle_address_list: true }])),
    steps: [WARM, { times: 10, tell: ['distinct'] }],
  }),
  balance('typed-pick-first-refused', {
    rule: 'it is the first that can be connected to',
    ...three(policies(['pick_first.v3.PickFirst', { shuffle_address_list: false }])),
    hosts: [{ name: 'a', refuses: true }, 'b', 'c'],
    steps: [WARM, { times: 5 }],
  }),
  balance('typed-weighted', {
    rule: 'a typed ClientSideWeightedRoundRobin',
    ...three(policies(['client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin'])),
    steps: DISTINCT,
  }),
  balance('typed-random', { rule: 'a typed Random alone', ...three(policies(['random.v3.Random'])), steps: DISTINCT }),
  balance('typed-struct', {
    rule: 'a policy as TypedStruct, by its name in gRPC',
    ...three({
      load_balancing_policy: {
        policies: [
          {
            typed_extension_config: {
              name: 'custom',
              typed_config: {
                '@type': 'type.googleapis.com/xds.type.v3.TypedStruct',
                type_url: 'type.googleapis.com/round_robin',
                value: {},
              },
            },
          },
        ],
      },
    }),
    steps: DISTINCT,
    differs:
      'Names of policies that an application registers with grpc-js mean nothing to the mesh: its own balancers are all there are.',
  }),
  balance('random', { rule: '`lb_policy: RANDOM`', ...three({ lb_policy: 'RANDOM' }), steps: DISTINCT }),
  balance('maglev', { rule: '`lb_policy: MAGLEV`', ...three({ lb_policy: 'MAGLEV' }), steps: DISTINCT }),
];
