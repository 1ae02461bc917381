import type { JsonObject } from '@bufbuild/protobuf';
import { type CaseHost, FRESH, FROM_INSIDE, type PolicyCase, type Step, TRUSTED } from '../case.ts';

/** Quick back-off, so that a case does not wait. */
const QUICK = { base_interval: '0.001s', max_interval: '0.002s' };

const retry = (retry_on: string, num_retries = 1, more: JsonObject = {}): JsonObject => ({
  retry_policy: { retry_on, num_retries, retry_back_off: QUICK, ...more },
});

interface On {
  readonly rule: string;
  readonly route: JsonObject;
  readonly steps: readonly Step[];
  readonly hosts?: readonly CaseHost[];
}

const on = (name: string, given: On & Partial<PolicyCase>): PolicyCase => ({
  hosts: FRESH,
  name: `retry-${name}`,
  area: 'retries',
  ...given,
});

const scripts = (...list: readonly string[]): readonly Step[] => list.map((script) => ({ script }));
const H2: readonly CaseHost[] = [{ name: 'a', protocol: 'h2' }];

export const RETRIES: readonly PolicyCase[] = [
  on('none', {
    rule: 'without a retry policy nothing is retried',
    route: {},
    steps: scripts('503,ok', 'reset,ok', '500'),
  }),
  on('5xx', {
    rule: '`5xx`: any 5xx, a reset and a close are retried; 404 is not',
    route: retry('5xx'),
    steps: scripts('503,ok', '500,ok', '599,ok', 'reset,ok', 'close,ok', '404,ok', '429,ok', 'ok'),
  }),
  on('gateway-error', {
    rule: '`gateway-error`: 502, 503, 504 and resets; 500 is not',
    route: retry('gateway-error'),
    steps: scripts('502,ok', '503,ok', '504,ok', '500,ok', '505,ok', 'reset,ok'),
  }),
  on('reset', {
    rule: '`reset`: a reset or close before the head, no status',
    route: retry('reset'),
    steps: scripts('reset,ok', 'close,ok', '503,ok', 'reset-headers,ok', 'truncate,ok'),
  }),
  on('reset-before-request', {
    rule: '`reset-before-request`: not once the request has been sent',
    route: retry('reset-before-request'),
    steps: [{ script: 'reset,ok' }, { script: 'close,ok' }, { script: 'reset,ok', method: 'POST', bodyBytes: 10 }],
  }),
  on('connect-failure', {
    rule: '`connect-failure`: a refused connection, no reset of a request',
    route: retry('connect-failure', 3),
    hosts: [{ name: 'a', connections: 'refuse' }],
    steps: scripts('ok'),
  }),
  on('connect-failure-other', {
    rule: '`connect-failure` retries neither a reset after the request nor a status',
    route: retry('connect-failure', 3),
    steps: scripts('reset,ok', '503,ok'),
  }),
  on('accept-and-close', {
    rule: '`connect-failure` does not cover a connection that is accepted and closed (UC, not UF)',
    route: retry('connect-failure', 3),
    hosts: [{ name: 'a', connections: 'close' }],
    counters: 'ignored',
    steps: scripts('ok'),
  }),
  on('refused-stream', {
    rule: '`refused-stream`: RST_STREAM with REFUSED_STREAM alone',
    route: retry('refused-stream'),
    hosts: H2,
    steps: scripts('refuse,ok', 'rst;code=2,ok', 'rst;code=8,ok', '503,ok', 'refuse'),
  }),
  on('h2-reset', {
    rule: '`reset` on HTTP/2: RST_STREAM of any code, refused ones too',
    route: retry('reset'),
    hosts: H2,
    steps: scripts('refuse,ok', 'rst;code=2,ok', 'rst;code=0,ok', 'rst;code=8,ok', 'reset,ok'),
  }),
  on('h2-connect-failure', {
    rule: '`connect-failure` does not cover a refused stream',
    route: retry('connect-failure'),
    hosts: H2,
    steps: scripts('refuse,ok', 'rst;code=2,ok'),
  }),
  on('retriable-4xx', {
    rule: '`retriable-4xx`: 409 alone',
    route: retry('retriable-4xx'),
    steps: scripts('409,ok', '400,ok', '404,ok', '429,ok', '503,ok'),
  }),
  on('retriable-status-codes', {
    rule: '`retriable-status-codes`: the listed ones',
    route: retry('retriable-status-codes', 1, { retriable_status_codes: [404, 507] }),
    steps: scripts('404,ok', '507,ok', '503,ok', 'reset,ok'),
  }),
  on('retriable-status-codes-none', {
    rule: '`retriable-status-codes` without a list retries nothing',
    route: retry('retriable-status-codes'),
    steps: scripts('503,ok', '404,ok'),
  }),
  on('status-codes-by-header', {
    rule: '`x-envoy-retriable-status-codes` of the request (from inside) adds codes',
    manager: TRUSTED,
    route: retry('retriable-status-codes'),
    steps: [
      { script: '404,ok', headers: { 'x-envoy-retriable-status-codes': '404,418' } },
      { script: '418,ok', headers: { 'x-envoy-retriable-status-codes': '404,418' } },
      { script: '503,ok', headers: { 'x-envoy-retriable-status-codes': '404,418' } },
    ],
  }),
  on('retriable-headers', {
    rule: '`retriable-headers`: an answer with a listed header, any status',
    route: retry('retriable-headers', 1, { retriable_headers: [{ name: 'x-again', string_match: { exact: 'yes' } }] }),
    steps: scripts('ok;x-again=yes,ok', '503;x-again=yes,ok', 'ok;x-again=no,ok', '503,ok'),
  }),
  on('retriable-request-headers', {
    rule: 'retriable_request_headers: only requests with one of them are retried',
    route: retry('5xx', 1, { retriable_request_headers: [{ name: ':method', string_match: { exact: 'GET' } }] }),
    steps: [{ script: '503,ok' }, { script: '503,ok', method: 'POST', bodyBytes: 3 }],
  }),
  on('envoy-ratelimited', {
    rule: 'an answer with `x-envoy-ratelimited` is retried for `envoy-ratelimited` alone, whatever its status',
    route: retry('envoy-ratelimited'),
    steps: scripts('429;x-envoy-ratelimited=true,ok', '503;x-envoy-ratelimited=true,ok', '429,ok', '503,ok'),
  }),
  on('5xx-ratelimited', {
    rule: '`5xx` does not retry an answer with `x-envoy-ratelimited`',
    route: retry('5xx'),
    steps: scripts('503;x-envoy-ratelimited=true,ok', '503,ok'),
  }),
  on('grpc-words', {
    rule: 'gRPC words: grpc-status in the head of the answer (trailers-only), on any HTTP status',
    route: retry('cancelled,deadline-exceeded,internal,resource-exhausted,unavailable'),
    steps: scripts(
      ...[1, 4, 13, 8, 14, 2, 7, 0].map((code) => `ok;content-type=application/grpc;grpc-status=${code},ok`),
    ),
  }),
  on('grpc-one-word', {
    rule: 'each gRPC word covers its own code alone',
    route: retry('unavailable'),
    steps: scripts(...[14, 1, 4, 8, 13].map((code) => `ok;content-type=application/grpc;grpc-status=${code},ok`)),
  }),
  on('grpc-trailers', {
    rule: 'a grpc-status in trailers after a body is not retried',
    route: retry('unavailable'),
    hosts: H2,
    steps: scripts('ok;content-type=application/grpc;trailer.grpc-status=14,ok'),
  }),
  on('grpc-http-status', {
    rule: '`unavailable` does not look at the HTTP status',
    route: retry('unavailable'),
    steps: scripts('503,ok', '503;grpc-status=14,ok'),
  }),
  on('by-header', {
    rule: '`x-envoy-retry-on` and `x-envoy-max-retries` of the request (from inside) make a policy where the route has none',
    manager: TRUSTED,
    route: {},
    steps: [
      { script: '503,ok', headers: { 'x-envoy-retry-on': '5xx' } },
      { script: '503,503,503,ok', headers: { 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '3' } },
      { script: '503,ok', headers: { 'x-envoy-max-retries': '3' } },
      { script: '503;grpc-status=14,ok', headers: { 'x-envoy-retry-grpc-on': 'unavailable' } },
    ],
  }),
  on('by-header-beside', {
    rule: '`x-envoy-retry-on` is added to the words of the route; `x-envoy-max-retries` replaces its number',
    manager: TRUSTED,
    route: retry('reset', 2),
    steps: [
      { script: '503,503,503,503,ok', headers: { 'x-envoy-retry-on': '5xx' } },
      { script: '503,503,503,503,ok', headers: { 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '1' } },
      { script: 'reset,reset,reset,reset,ok', headers: { 'x-envoy-max-retries': '4' } },
      { script: 'reset,ok', headers: { 'x-envoy-max-retries': '0' } },
    ],
  }),
  on('by-header-edge', {
    rule: 'at the edge (use_remote_address, outside address) x-envoy-* of the request are dropped',
    route: {},
    manager: { ...TRUSTED, xff_num_trusted_hops: 1 },
    steps: [
      { script: '503,ok', headers: { 'x-envoy-retry-on': '5xx', 'x-forwarded-for': '8.8.8.8' } },
      { script: '503,ok', headers: { 'x-envoy-retry-on': '5xx' } },
    ],
    differs: 'A client has no edge: a listener with xff_num_trusted_hops is refused (gRFC A41).',
  }),
  on('by-header-outside', {
    rule: 'x-envoy-* of a request that is not known to come from inside are dropped',
    route: retry('5xx'),
    steps: [{ script: '503,503,503,ok', headers: { 'x-envoy-max-retries': '5' } }],
    differs: FROM_INSIDE,
  }),
  on('attempt-count', {
    rule: 'include_request_attempt_count and include_attempt_count_in_response tell the number of the try',
    route: retry('5xx', 2),
    virtualHost: { include_request_attempt_count: true, include_attempt_count_in_response: true },
    tell: ['upstream-headers'],
    steps: scripts('503,503,ok', 'ok'),
  }),
  on('spaces', {
    rule: 'retry_on words are cut at commas; blanks around them do not count',
    route: retry('gateway-error, reset , retriable-4xx'),
    steps: scripts('409,ok', 'reset,ok', '503,ok'),
  }),
  on('virtual-host', {
    rule: 'the virtual host has a policy, the route has none: it counts; the route has one: it replaces it whole',
    route: {},
    virtualHost: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: QUICK } },
    steps: scripts('503,503,503,ok'),
  }),
  on('virtual-host-replaced', {
    rule: 'a route policy replaces that of the virtual host whole',
    route: retry('reset'),
    virtualHost: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: QUICK } },
    steps: scripts('503,ok', 'reset,reset,ok'),
  }),
];
