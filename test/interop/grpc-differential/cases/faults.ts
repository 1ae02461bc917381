import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { filter, typed } from '../resources.ts';
import { REST, to } from './pieces.ts';

const FAULT = 'envoy.filters.http.fault';
const percent = (numerator: number): JsonObject => ({ percentage: { numerator, denominator: 'HUNDRED' } });
const abort = (how: JsonObject, share = 100): JsonObject => ({ abort: { ...how, ...percent(share) } });
const late = (fixed_delay: string, share = 100): JsonObject => ({ delay: { fixed_delay, ...percent(share) } });
const fields = (fault: JsonObject): JsonObject => typed('filters.http.fault.v3.HTTPFault', fault);
const perFilter = (fault: JsonObject): JsonObject => ({ typed_per_filter_config: { [FAULT]: fields(fault) } });
const faultFilter = (fault: JsonObject = {}): JsonObject => filter(FAULT, 'fault.v3.HTTPFault', fault);

const fault = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `fault-${name}`,
  area: 'faults',
  filters: [faultFilter()],
  ...given,
});
/** The fault of the connection manager's filter. */
const everywhere = (
  name: string,
  rule: string,
  own: JsonObject,
  steps: readonly Ask[] = [{}],
  more: Partial<GrpcCase> = {},
): GrpcCase => fault(name, { rule, filters: [faultFilter(own)], steps, ...more });

const asked = (...pairs: readonly (readonly [string, string])[]): Ask => ({
  metadata: pairs.map(([name, value]) => [`x-envoy-fault-${name}`, value] as const),
});

const HTTP = [400, 401, 403, 404, 429, 502, 503, 504, 418, 500, 200];
const aborting = (status: number): JsonObject => ({
  match: { prefix: `/status.${status}/` },
  route: { cluster: 'a' },
  ...perFilter(abort({ http_status: status })),
});

export const FAULTS: readonly GrpcCase[] = [
  fault('http-statuses', {
    rule: 'abort by HTTP status: 400, 401, 403, 404, 429, 502, 503, 504, others',
    routes: HTTP.map(aborting),
    steps: HTTP.map((status) => ({ path: `/status.${status}/x` })),
  }),
  everywhere('grpc-status', 'abort by `grpc_status`', abort({ grpc_status: 8 })),
  everywhere('share', 'abort of 30 % of the calls', abort({ grpc_status: 14 }, 30), [
    { quiet: true },
    { times: 400, atOnce: 20, share: { a: 0.7, UNAVAILABLE: 0.3 } },
  ]),
  everywhere('million', 'a percentage in millionths', {
    abort: { grpc_status: 14, percentage: { numerator: 1_000_000, denominator: 'MILLION' } },
  }),
  everywhere('delay', 'a delay before the call', late('0.4s'), [{ lastsMs: [390, 700] }]),
  everywhere('delay-deadline', 'a delay counts for the deadline', late('3s'), [
    { timeoutMs: 500, lastsMs: [450, 700] },
  ]),
  everywhere('delay-abort', 'a delay and an abort: both', { ...late('0.3s'), ...abort({ grpc_status: 7 }) }, [
    { lastsMs: [290, 600] },
  ]),
  everywhere('max-active', '`max_active_faults: 0` allows none', {
    max_active_faults: 0,
    ...abort({ grpc_status: 14 }),
  }),
  everywhere(
    'max-active-one',
    '`max_active_faults: 1`: of three delayed at once one is',
    { max_active_faults: 1, ...late('1s') },
    [{ quiet: true }, { times: 3, atOnce: 3, lastsMs: [0, 1_200] }],
  ),
  everywhere(
    'by-header',
    '`x-envoy-fault-abort-request` (HTTP status) of the call',
    { abort: { header_abort: {}, ...percent(100) } },
    [asked(['abort-request', '503']), asked(['abort-request', '404']), {}],
  ),
  everywhere(
    'by-header-grpc',
    '`x-envoy-fault-abort-grpc-request` of the call',
    { abort: { header_abort: {}, ...percent(100) } },
    [
      asked(['abort-grpc-request', '8']),
      asked(['abort-grpc-request', '8'], ['abort-request', '503']),
      asked(['abort-grpc-request', 'none']),
    ],
  ),
  everywhere(
    'by-header-percentage',
    '`x-envoy-fault-abort-request-percentage` can only lower the percentage',
    { abort: { header_abort: {}, ...percent(100) } },
    [
      asked(['abort-request', '503'], ['abort-request-percentage', '0']),
      asked(['abort-request', '503'], ['abort-request-percentage', '100']),
    ],
  ),
  everywhere(
    'by-header-delay',
    '`x-envoy-fault-delay-request` of the call, ms',
    { delay: { header_delay: {}, ...percent(100) } },
    [{ ...asked(['delay-request', '400']), lastsMs: [390, 700] }, {}],
  ),
  everywhere('by-header-off', 'headers without `header_abort` do nothing', abort({ grpc_status: 8 }, 0), [
    asked(['abort-request', '503']),
  ]),
  fault('per-route', {
    rule: 'the fault of a route replaces that of the filter',
    filters: [faultFilter(abort({ grpc_status: 8 }))],
    routes: [{ ...to('a', { prefix: '/test.Echo/' }), ...perFilter(abort({ grpc_status: 7 })) }, REST],
    steps: [{}, { path: '/other/x' }],
  }),
  fault('per-route-none', {
    rule: 'an empty fault of a route takes that of the filter away',
    filters: [faultFilter(abort({ grpc_status: 8 }))],
    routes: [{ ...to('a', { prefix: '/test.Echo/' }), ...perFilter({}) }, REST],
    steps: [{}, { path: '/other/x' }],
  }),
  fault('per-virtual-host', {
    rule: 'the fault of the virtual host holds for routes without one',
    virtualHost: perFilter(abort({ grpc_status: 7 })),
    routes: [{ ...to('a', { prefix: '/test.Echo/' }), ...perFilter({}) }, REST],
    steps: [{}, { path: '/other/x' }],
  }),
  fault('per-cluster', {
    rule: 'the fault of a weighted cluster goes before that of its route',
    routes: [
      {
        match: { prefix: '' },
        route: { weighted_clusters: { clusters: [{ name: 'a', weight: 1, ...perFilter(abort({ grpc_status: 5 })) }] } },
        ...perFilter(abort({ grpc_status: 7 })),
      },
    ],
    steps: [{}],
  }),
  fault('per-route-alone', {
    rule: 'a fault of a route without the filter in the listener does nothing',
    filters: [],
    routes: [{ ...to('a'), ...perFilter(abort({ grpc_status: 7 })) }],
    steps: [{}],
  }),
  everywhere(
    'match-headers',
    'a fault for calls with a header',
    { ...abort({ grpc_status: 8 }), headers: [{ name: 'x-user', string_match: { exact: 'jason' } }] },
    [{}, { metadata: [['x-user', 'jason']] }],
    { differs: '`headers` of a fault select its calls, as in Envoy: it is what Istio writes for faults by match.' },
  ),
  everywhere('retried', 'an abort is not retried', abort({ grpc_status: 14 }), [{ tell: ['attempts'] }], {
    routes: [
      { match: { prefix: '' }, route: { cluster: 'a', retry_policy: { retry_on: 'unavailable', num_retries: 3 } } },
    ],
  }),
  fault('twice', {
    rule: 'two fault filters: both hold',
    filters: [
      filter('one', 'fault.v3.HTTPFault', late('2s')),
      filter('two', 'fault.v3.HTTPFault', abort({ grpc_status: 8 })),
    ],
    steps: [{ lastsMs: [1_990, 2_400] }],
  }),
];
