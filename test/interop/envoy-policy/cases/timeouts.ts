import type { JsonObject } from '@bufbuild/protobuf';
import { FROM_INSIDE, type PolicyCase, TRUSTED } from '../case.ts';

const QUICK = { base_interval: '0.001s', max_interval: '0.002s' };

const retry = (retry_on: string, num_retries: number, more: JsonObject = {}): JsonObject => ({
  retry_policy: { retry_on, num_retries, retry_back_off: QUICK, ...more },
});

const timeout = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `timeout-${name}`,
  area: 'timeouts',
  ...given,
});

export const TIMEOUTS: readonly PolicyCase[] = [
  timeout('route', {
    rule: 'the route timeout ends the call with 504 UT',
    route: { timeout: '0.2s' },
    tell: ['upstream-headers'],
    steps: [{ script: 'stall', lastsMs: [190, 900] }, { script: 'ok' }],
  }),
  timeout('in-body', {
    rule: 'the route timeout while the body comes: the status stays, the body breaks off',
    route: { timeout: '0.2s' },
    steps: [{ script: 'stall-body;body=abcdefgh', lastsMs: [190, 900] }],
  }),
  timeout('upload', {
    rule: 'the route timeout begins when the whole request has come',
    route: { timeout: '0.4s' },
    tell: ['body-bytes'],
    steps: [
      { script: 'ok;wait=100', method: 'POST', bodyBytes: 4_000, streamed: true, bodyMs: 800, lastsMs: [890, 2000] },
      { script: 'stall', method: 'POST', bodyBytes: 4_000, streamed: true, bodyMs: 400, lastsMs: [790, 1600] },
    ],
  }),
  timeout('connecting', {
    rule: 'a port that refuses: UF, 503; the route timeout has no part in it',
    hosts: [{ name: 'a', connections: 'refuse' }],
    route: { timeout: '1s' },
    steps: [{ script: 'ok', lastsMs: [0, 900] }],
  }),
  timeout('across-retries', {
    rule: 'the route timeout covers all tries and waits',
    route: { timeout: '1.2s', ...retry('5xx', 10) },
    counters: 'ignored',
    steps: [{ script: '503;wait=200,503;wait=200,stall', lastsMs: [1190, 1900] }],
  }),
  timeout('per-try-retried', {
    rule: 'per_try_timeout is retried for `5xx`; the last try that is late is 504 UT with URX',
    route: retry('5xx', 1, { per_try_timeout: '0.4s' }),
    steps: [
      { script: 'stall,ok', lastsMs: [190, 1400] },
      { script: 'stall', lastsMs: [790, 1600] },
    ],
  }),
  timeout('per-try-gateway-error', {
    rule: 'per_try_timeout is retried for `gateway-error`',
    route: retry('gateway-error', 1, { per_try_timeout: '0.4s' }),
    steps: [{ script: 'stall,ok', lastsMs: [190, 1400] }],
  }),
  timeout('per-try-reset', {
    rule: 'per_try_timeout is retried for `reset`',
    route: retry('reset', 1, { per_try_timeout: '0.4s' }),
    steps: [{ script: 'stall,ok', lastsMs: [190, 1400] }],
  }),
  timeout('per-try-not-retried', {
    rule: 'per_try_timeout is not retried for `connect-failure,refused-stream,unavailable,cancelled`',
    route: retry('connect-failure,refused-stream,unavailable,cancelled,retriable-4xx,reset-before-request', 3, {
      per_try_timeout: '0.4s',
    }),
    steps: [{ script: 'stall,ok', lastsMs: [190, 1400] }],
  }),
  timeout('per-try-retriable-504', {
    rule: 'per_try_timeout is not retried for `retriable-status-codes` with 504',
    route: retry('retriable-status-codes', 1, { retriable_status_codes: [504], per_try_timeout: '0.4s' }),
    steps: [{ script: 'stall,ok', lastsMs: [190, 1400] }, { script: '504,ok' }],
  }),
  timeout('per-try-without-words', {
    rule: 'per_try_timeout without retry_on ends the call all the same',
    route: { retry_policy: { per_try_timeout: '0.4s' } },
    steps: [{ script: 'stall,ok', lastsMs: [190, 1400] }],
  }),
  timeout('per-try-longer', {
    rule: 'a per_try_timeout longer than the route timeout does not count',
    route: { timeout: '0.2s', ...retry('5xx', 1, { per_try_timeout: '5s' }) },
    steps: [{ script: 'stall,ok', lastsMs: [190, 900] }],
  }),
  timeout('per-try-in-body', {
    rule: 'per_try_timeout is off once the head is there: the route timeout ends the body',
    route: { timeout: '0.9s', ...retry('5xx', 1, { per_try_timeout: '0.4s' }) },
    steps: [{ script: 'stall-body;body=abcdefgh,ok', lastsMs: [890, 1600] }],
  }),
  timeout('per-try-idle', {
    rule: 'per_try_idle_timeout: silence of one try; retried as per_try_timeout is',
    route: retry('5xx', 1, { per_try_idle_timeout: '0.4s' }),
    steps: [
      { script: 'stall,ok', lastsMs: [190, 1400] },
      { script: 'stall', lastsMs: [790, 1600] },
    ],
  }),
  timeout('per-try-idle-in-body', {
    rule: 'per_try_idle_timeout holds while the body comes',
    route: retry('5xx', 1, { per_try_idle_timeout: '0.4s' }),
    steps: [{ script: 'stall-body;body=abcdefgh,ok', lastsMs: [190, 1400] }],
  }),
  timeout('idle', {
    rule: 'RouteAction.idle_timeout: 504 SI',
    route: { timeout: '0s', idle_timeout: '0.2s' },
    steps: [
      { script: 'stall', lastsMs: [190, 900] },
      { script: 'stall-body;body=abcdefgh', lastsMs: [190, 900] },
    ],
  }),
  timeout('max-stream-duration', {
    rule: 'RouteAction.max_stream_duration: 504 without a flag',
    route: { timeout: '0s', max_stream_duration: { max_stream_duration: '0.2s' } },
    steps: [
      { script: 'stall', lastsMs: [190, 900] },
      { script: 'stall-body;body=abcdefgh', lastsMs: [190, 900] },
    ],
  }),
  timeout('cluster-max-stream-duration', {
    rule: 'max_stream_duration of the cluster: UMSDR, 504; retried as a reset',
    connection: { max_stream_duration: '0.2s' },
    route: { timeout: '0s', ...retry('reset', 1) },
    steps: [{ script: 'stall', lastsMs: [190, 1400] }, { script: 'stall,ok' }],
  }),
  timeout('is-timeout-retry', {
    rule: 'include_is_timeout_retry_header: a retry of a late try says so',
    virtualHost: { include_is_timeout_retry_header: true },
    route: retry('5xx', 1, { per_try_timeout: '0.3s' }),
    tell: ['upstream-headers'],
    steps: [{ script: 'stall,ok' }, { script: '503,ok' }],
    differs: 'The field is ignored, with a warning.',
  }),
  timeout('header', {
    rule: 'x-envoy-upstream-rq-timeout-ms (from inside) replaces the route timeout, shorter or longer',
    manager: TRUSTED,
    route: { timeout: '0.6s' },
    tell: ['upstream-headers'],
    steps: [
      { script: 'stall', headers: { 'x-envoy-upstream-rq-timeout-ms': '200' }, lastsMs: [140, 550] },
      { script: 'ok;wait=800', headers: { 'x-envoy-upstream-rq-timeout-ms': '3000' }, lastsMs: [700, 2500] },
    ],
  }),
  timeout('per-try-header', {
    rule: 'x-envoy-upstream-rq-per-try-timeout-ms (from inside) sets the time of a try',
    manager: TRUSTED,
    route: { timeout: '2s', ...retry('5xx', 1) },
    tell: ['upstream-headers'],
    steps: [{ script: 'stall,ok', headers: { 'x-envoy-upstream-rq-per-try-timeout-ms': '200' }, lastsMs: [190, 1400] }],
  }),
  timeout('header-outside', {
    rule: 'x-envoy-upstream-rq-timeout-ms from outside is dropped',
    route: { timeout: '0.6s' },
    steps: [{ script: 'ok;wait=300', headers: { 'x-envoy-upstream-rq-timeout-ms': '100' } }],
    differs: FROM_INSIDE,
  }),
  timeout('expected-per-try', {
    rule: 'x-envoy-expected-rq-timeout-ms is the smaller of what is left of the call and the time of a try',
    route: { timeout: '2s', ...retry('5xx', 1, { per_try_timeout: '0.5s' }) },
    tell: ['upstream-headers'],
    steps: [{ script: '503,ok' }],
  }),
  timeout('grpc-header', {
    rule: 'grpc_timeout_header_max: grpc-timeout of the request counts up to it: grpc-status 4',
    route: { max_stream_duration: { grpc_timeout_header_max: '5s' } },
    tell: ['upstream-headers'],
    steps: [
      {
        script: 'stall',
        method: 'POST',
        headers: { 'grpc-timeout': '200m', 'content-type': 'application/grpc' },
        lastsMs: [190, 900],
      },
    ],
  }),
  timeout('connect', {
    rule: 'a connection that never speaks is no connect timeout: the route timeout ends the call',
    hosts: [{ name: 'a', connections: 'hold' }],
    route: { timeout: '0.3s' },
    steps: [{ script: 'ok', lastsMs: [290, 900] }],
  }),
];
