import type { JsonObject } from '@bufbuild/protobuf';
import type { PolicyCase } from '../case.ts';

const fault = (fields: JsonObject): readonly JsonObject[] => [
  {
    name: 'envoy.filters.http.fault',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault', ...fields },
  },
];

const percent = (numerator: number, denominator = 'HUNDRED'): JsonObject => ({
  percentage: { numerator, denominator },
});

const injected = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `fault-${name}`,
  area: 'faults',
  ...given,
});

export const FAULTS: readonly PolicyCase[] = [
  injected('abort', {
    rule: 'abort 100 %: the status, FI, body "fault filter abort"; nothing is sent',
    filters: fault({ abort: { http_status: 418, ...percent(100) } }),
    steps: [{ script: 'ok' }],
  }),
  injected('abort-retried', {
    rule: 'an abort is not retried',
    filters: fault({ abort: { http_status: 503, ...percent(100) } }),
    route: { retry_policy: { retry_on: '5xx', num_retries: 3 } },
    steps: [{ script: 'ok' }],
  }),
  injected('abort-share', {
    rule: 'abort 30 %',
    filters: fault({ abort: { http_status: 503, ...percent(30) } }),
    share: { of: { status: 503 }, is: 0.3 },
    steps: [{ script: 'ok', times: 1000, atOnce: 8 }],
  }),
  injected('abort-share-million', {
    rule: 'abort 123,400 of a million',
    filters: fault({ abort: { http_status: 503, ...percent(123_400, 'MILLION') } }),
    share: { of: { status: 503 }, is: 0.1234 },
    steps: [{ script: 'ok', times: 1000, atOnce: 8 }],
  }),
  injected('abort-grpc', {
    rule: 'abort with a gRPC status: to a gRPC request 200 with grpc-status, to another its HTTP status',
    filters: fault({ abort: { grpc_status: 14, ...percent(100) } }),
    steps: [{ script: 'ok', method: 'POST', headers: { 'content-type': 'application/grpc' } }, { script: 'ok' }],
  }),
  injected('abort-http-of-grpc', {
    rule: 'abort with an HTTP status of a gRPC request: 200 with the grpc-status of that HTTP status',
    filters: fault({ abort: { http_status: 503, ...percent(100) } }),
    steps: [{ script: 'ok', method: 'POST', headers: { 'content-type': 'application/grpc' } }],
  }),
  injected('delay', {
    rule: 'delay 300 ms: DI',
    filters: fault({ delay: { fixed_delay: '0.3s', ...percent(100) } }),
    steps: [{ script: 'ok', lastsMs: [290, 1000] }],
  }),
  injected('delay-timeout', {
    rule: "Envoy's route timeout begins after the delay",
    filters: fault({ delay: { fixed_delay: '0.4s', ...percent(100) } }),
    route: { timeout: '0.2s' },
    steps: [{ script: 'ok', lastsMs: [390, 1000] }],
    differs:
      'The delay spends the timeout of the call: 504 UT when that is over, as the fault guides of Istio show it.',
  }),
  injected('delay-abort', {
    rule: 'delay and abort: the abort comes after the delay; DI and FI',
    filters: fault({ delay: { fixed_delay: '0.2s', ...percent(100) }, abort: { http_status: 555, ...percent(100) } }),
    steps: [{ script: 'ok', lastsMs: [190, 900] }],
  }),
  injected('delay-retries', {
    rule: 'a delay comes once a call, not once a try',
    filters: fault({ delay: { fixed_delay: '0.6s', ...percent(100) } }),
    route: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } } },
    steps: [{ script: '503,503,ok', lastsMs: [590, 1100], gapsMs: [[0, 50]] }],
  }),
  injected('by-header', {
    rule: 'header_delay and header_abort: the request says how long and what',
    filters: fault({ delay: { header_delay: {}, ...percent(100) }, abort: { header_abort: {}, ...percent(100) } }),
    steps: [
      { script: 'ok' },
      { script: 'ok', headers: { 'x-envoy-fault-delay-request': '200' }, lastsMs: [190, 900] },
      { script: 'ok', headers: { 'x-envoy-fault-abort-request': '502' } },
      { script: 'ok', headers: { 'x-envoy-fault-abort-request': '700' } },
      { script: 'ok', headers: { 'x-envoy-fault-abort-request': 'no' } },
      { script: 'ok', headers: { 'x-envoy-fault-abort-grpc-request': '14' } },
      {
        script: 'ok',
        headers: { 'x-envoy-fault-abort-request': '502', 'x-envoy-fault-abort-request-percentage': '0' },
      },
    ],
  }),
  injected('header-percentage', {
    rule: 'x-envoy-fault-abort-request-percentage lowers the percentage, never raises it',
    filters: fault({ abort: { header_abort: {}, ...percent(20) } }),
    share: { of: { status: 503 }, is: 0.2 },
    steps: [
      {
        script: 'ok',
        headers: { 'x-envoy-fault-abort-request': '503', 'x-envoy-fault-abort-request-percentage': '90' },
        times: 600,
        atOnce: 8,
      },
    ],
  }),
  injected('max-active', {
    rule: 'max_active_faults 1: while one delay is under way no other request is delayed',
    filters: fault({ max_active_faults: 1, delay: { fixed_delay: '0.5s', ...percent(100) } }),
    steps: [{ script: 'ok', times: 3, atOnce: 3 }],
  }),
  injected('match-header', {
    rule: 'headers: only requests that match',
    filters: fault({
      abort: { http_status: 418, ...percent(100) },
      headers: [{ name: 'x-user', string_match: { exact: 'jason' } }],
    }),
    steps: [{ script: 'ok' }, { script: 'ok', headers: { 'x-user': 'jason' } }],
  }),
  injected('other-cluster', {
    rule: 'upstream_cluster: only requests to that cluster',
    filters: fault({ abort: { http_status: 418, ...percent(100) }, upstream_cluster: 'other' }),
    steps: [{ script: 'ok' }],
  }),
  injected('per-route', {
    rule: "the route's fault replaces the filter's whole",
    filters: fault({ abort: { http_status: 418, ...percent(100) } }),
    routeExtra: {
      typed_per_filter_config: {
        'envoy.filters.http.fault': {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
          delay: { fixed_delay: '0.1s', ...percent(100) },
        },
      },
    },
    steps: [{ script: 'ok' }],
  }),
];
