import type { JsonObject } from '@bufbuild/protobuf';
import { FRESH, type PolicyCase, TRUSTED } from '../case.ts';

const QUICK = { base_interval: '0.001s', max_interval: '0.002s' };

const retry = (retry_on: string, num_retries: number, more: JsonObject = {}): JsonObject => ({
  retry_policy: { retry_on, num_retries, retry_back_off: QUICK, ...more },
});

const PREVIOUS_HOSTS = {
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      },
    },
  ],
};

const PREVIOUS_PRIORITIES = {
  retry_priority: {
    name: 'envoy.retry_priorities.previous_priorities',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
      update_frequency: 1,
    },
  },
};

const NOT_REPEATED =
  'A request that is not idempotent is not sent again once some of it has left, unless it has an Idempotency-Key or is said to be repeatable.';

const breaker = (threshold: JsonObject): JsonObject => ({ circuit_breakers: { thresholds: [threshold] } });

export const RETRY_LIMITS: readonly PolicyCase[] = [
  {
    name: 'num-retries',
    area: 'retry limits',
    rule: 'num_retries: N is N retries, at most N + 1 calls; the last answer comes as it is, with URX',
    route: retry('5xx', 3),
    steps: [{ script: '503,502,500,ok' }, { script: '503,503,503,503,ok' }, { script: '500,501,502,503' }],
  },
  {
    name: 'num-retries-unset',
    area: 'retry limits',
    rule: 'num_retries unset is 1, 0 is none',
    route: { retry_policy: { retry_on: '5xx', retry_back_off: QUICK } },
    steps: [{ script: '503,503,ok' }],
  },
  {
    name: 'num-retries-0',
    area: 'retry limits',
    rule: 'num_retries: 0 is no retry, and URX',
    route: retry('5xx', 0),
    steps: [{ script: '503,ok' }],
  },
  {
    name: 'retry-post',
    area: 'retry limits',
    rule: 'a POST whose body fits the buffer is retried with the whole body',
    route: retry('5xx', 1),
    tell: ['body-bytes'],
    steps: [{ script: '503,ok', method: 'POST', bodyBytes: 1000 }],
    differs: NOT_REPEATED,
  },
  {
    name: 'retry-post-reset',
    area: 'retry limits',
    rule: 'a POST that was reset is retried',
    hosts: FRESH,
    route: retry('reset', 1),
    steps: [{ script: 'reset,ok', method: 'POST', bodyBytes: 10 }],
    differs: NOT_REPEATED,
  },
  {
    name: 'retry-post-key',
    area: 'retry limits',
    rule: 'a POST with an Idempotency-Key is retried',
    route: retry('5xx', 1),
    tell: ['body-bytes'],
    steps: [{ script: '503,ok', method: 'POST', bodyBytes: 1000, headers: { 'idempotency-key': '"1"' } }],
  },
  {
    name: 'retry-post-connect-failure',
    area: 'retry limits',
    rule: 'a POST of which nothing was sent is retried',
    hosts: [{ name: 'a', connections: 'refuse' }],
    route: retry('connect-failure', 2),
    steps: [{ script: 'ok', method: 'POST', bodyBytes: 10 }],
  },
  {
    name: 'retry-put',
    area: 'retry limits',
    rule: 'a PUT whose body fits the buffer is retried with the whole body',
    route: retry('5xx', 1),
    tell: ['body-bytes'],
    steps: [
      { script: '503,ok', method: 'PUT', bodyBytes: 1000 },
      { script: '503,ok', method: 'PUT', bodyBytes: 30_000, streamed: true },
    ],
  },
  {
    name: 'retry-put-too-long',
    area: 'retry limits',
    rule: 'a body longer than per_request_buffer_limit_bytes is not retried, and counted',
    route: retry('5xx', 1),
    routeExtra: { per_request_buffer_limit_bytes: 100 },
    tell: ['body-bytes'],
    steps: [{ script: '503,ok', method: 'PUT', bodyBytes: 50_000 }],
    differs: 'A body that the caller has whole is sent again whatever its length: nothing is kept for it.',
  },
  {
    name: 'retry-stream-too-long',
    area: 'retry limits',
    rule: 'a streamed body longer than per_request_buffer_limit_bytes is not retried; one that fits is',
    route: retry('5xx', 1),
    routeExtra: { per_request_buffer_limit_bytes: 100 },
    tell: ['body-bytes'],
    steps: [
      { script: '503,ok', method: 'PUT', bodyBytes: 50_000, streamed: true },
      { script: '503,ok', method: 'PUT', bodyBytes: 100, streamed: true },
    ],
  },
  {
    name: 'back-off-default',
    area: 'back-off',
    rule: 'full jitter between 0 and 25 ms × 2^(n − 1), at most 250 ms',
    route: { retry_policy: { retry_on: '5xx', num_retries: 4 } },
    steps: [
      {
        script: '503',
        times: 8,
        gapsMs: [
          [0, 25],
          [0, 50],
          [0, 100],
          [0, 200],
        ],
      },
    ],
  },
  {
    name: 'back-off-doubles',
    area: 'back-off',
    rule: 'the second retry waits up to 2 × base_interval, not the 3 × that the documentation of x-envoy-max-retries speaks of',
    cluster: breaker({ max_retries: 100 }),
    route: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.7s' } } },
    steps: [
      {
        script: '503',
        times: 24,
        atOnce: 24,
        gapsMs: [
          [0, 700],
          [0, 1400],
        ],
      },
    ],
  },
  {
    name: 'back-off-maximum',
    area: 'back-off',
    rule: 'max_interval unset is 10 × base_interval; it bounds every wait',
    route: { retry_policy: { retry_on: '5xx', num_retries: 5, retry_back_off: { base_interval: '0.005s' } } },
    steps: [{ script: '503', times: 6, gapsMs: [[0, 50]] }],
  },
  {
    name: 'back-off-retry-after',
    area: 'back-off',
    rule: 'rate_limited_retry_back_off: the seconds of Retry-After are waited for, with up to half of it on top',
    route: retry('5xx,retriable-status-codes', 1, {
      retriable_status_codes: [429],
      rate_limited_retry_back_off: { reset_headers: [{ name: 'Retry-After', format: 'SECONDS' }], max_interval: '5s' },
    }),
    steps: [
      { script: '429;retry-after=1,ok', gapsMs: [[990, 1700]] },
      { script: '503,ok', gapsMs: [[0, 100]] },
    ],
  },
  {
    name: 'back-off-retry-after-too-long',
    area: 'back-off',
    rule: 'a Retry-After beyond max_interval is not heeded: the exponential back-off counts',
    route: retry('5xx', 1, {
      rate_limited_retry_back_off: { reset_headers: [{ name: 'Retry-After', format: 'SECONDS' }], max_interval: '2s' },
    }),
    steps: [
      { script: '503;retry-after=4,ok', gapsMs: [[0, 100]] },
      { script: '503;retry-after=soon,ok', gapsMs: [[0, 100]] },
    ],
  },
  {
    name: 'back-off-unlisted-retry-after',
    area: 'back-off',
    rule: 'without rate_limited_retry_back_off a Retry-After says nothing',
    route: retry('5xx', 1),
    steps: [{ script: '503;retry-after=1,ok', gapsMs: [[0, 100]] }],
  },
  {
    name: 'previous-hosts',
    area: 'retry limits',
    rule: 'previous_hosts with host_selection_retry_max_attempts: each retry goes to a host not tried yet',
    hosts: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    route: retry('5xx', 2, { ...PREVIOUS_HOSTS, host_selection_retry_max_attempts: 5 }),
    tell: ['distinct'],
    steps: [{ script: '503', times: 10 }],
  },
  {
    name: 'previous-hosts-all-tried',
    area: 'retry limits',
    rule: 'when every host has been tried one of them is tried again',
    hosts: [{ name: 'a' }, { name: 'b' }],
    route: retry('5xx', 4, { ...PREVIOUS_HOSTS, host_selection_retry_max_attempts: 5 }),
    tell: ['distinct'],
    steps: [{ script: '503', times: 4 }],
  },
  {
    name: 'previous-priorities',
    area: 'retry limits',
    rule: 'previous_priorities: after update_frequency tries the priorities tried are left out; when all are, it begins anew',
    hosts: [{ name: 'a' }, { name: 'b', priority: 1 }, { name: 'c', priority: 2 }],
    route: retry('5xx', 4, PREVIOUS_PRIORITIES),
    tell: ['hosts'],
    steps: [{ script: '503', times: 3 }],
  },
  {
    name: 'max-retries-breaker',
    area: 'retry limits',
    rule: 'max_retries 0: no retry may be under way; the answer has UO beside its own flag, and no URX',
    hosts: FRESH,
    cluster: breaker({ max_retries: 0 }),
    route: retry('5xx', 2),
    steps: [{ script: '503,ok' }, { script: 'reset,ok' }],
  },
  {
    name: 'max-retries-default',
    area: 'retry limits',
    rule: 'max_retries unset is 3 retries under way; back-off counts as under way',
    route: { retry_policy: { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.001s' } } },
    steps: [{ script: '503;wait=250,ok;wait=400', times: 8, atOnce: 8 }],
  },
  {
    name: 'retry-budget-minimum',
    area: 'retry limits',
    rule: 'retry_budget {20 %, min 3}: 3 of 8 simultaneous failures are retried',
    cluster: breaker({ retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 3 } }),
    route: retry('5xx', 1),
    steps: [{ script: '503;wait=250,ok;wait=400', times: 8, atOnce: 8 }],
  },
  {
    name: 'retry-budget-percent',
    area: 'retry limits',
    rule: 'retry_budget 50 %, min 1, of 14 active requests: seven retries, an eighth is UO',
    cluster: breaker({ retry_budget: { budget_percent: { value: 50 }, min_retry_concurrency: 1 } }),
    route: retry('5xx', 1),
    steps: [
      { script: 'ok;wait=1400', times: 6, background: true },
      // One after the other, so that the retry before is under way again.
      ...Array.from({ length: 8 }, (_, at) => ({ script: `503;wait=${300 + 60 * at},ok;wait=900`, background: true })),
    ],
  },
  {
    name: 'retry-budget-unset',
    area: 'retry limits',
    rule: 'neither budget nor max_retries: 3 retries at a time, however many requests are under way',
    route: retry('5xx', 1),
    steps: [{ script: '503;wait=300,ok;wait=500', times: 40, atOnce: 40 }],
  },
  {
    name: 'retry-budget-unlimited',
    area: 'retry limits',
    rule: 'max_retries without a limit, as istiod writes it: every request is retried',
    cluster: breaker({ max_retries: 4_294_967_295 }),
    route: retry('5xx', 1),
    steps: [{ script: '503;wait=300,ok;wait=500', times: 40, atOnce: 40 }],
    differs: 'Where retries have no limit a budget holds: 20 % of the requests under way, 3 at least.',
  },
  {
    name: 'retry-budget-over-max-retries',
    area: 'retry limits',
    rule: 'a budget takes the place of max_retries',
    cluster: breaker({ max_retries: 0, retry_budget: { min_retry_concurrency: 5 } }),
    route: retry('5xx', 1),
    steps: [{ script: '503,ok' }],
  },
  {
    name: 'hedge-per-try-timeout',
    area: 'retry limits',
    rule: 'hedge_on_per_try_timeout: a late try goes on beside the next; the first good answer counts',
    route: {
      timeout: '0.8s',
      ...retry('5xx', 2, { per_try_timeout: '0.15s' }),
      hedge_policy: { hedge_on_per_try_timeout: true },
    },
    steps: [
      { script: 'ok;wait=350;body=first,ok;wait=1500;body=second,ok;wait=1500;body=third', lastsMs: [330, 800] },
      { script: 'ok;wait=2000,ok', lastsMs: [140, 700] },
      { script: 'stall,stall,stall,ok', lastsMs: [790, 1800] },
    ],
  },
  {
    name: 'hedge-bad-answer',
    area: 'retry limits',
    rule: 'with hedging under way a bad answer of one try does not end the call',
    route: { ...retry('5xx', 1, { per_try_timeout: '0.15s' }), hedge_policy: { hedge_on_per_try_timeout: true } },
    steps: [
      { script: '503;wait=300,ok;wait=400', lastsMs: [300, 1500] },
      { script: 'ok;wait=500,503;wait=50', lastsMs: [300, 1500] },
    ],
  },
  {
    name: 'hedge-by-header',
    area: 'retry limits',
    rule: 'x-envoy-hedge-on-per-try-timeout of the request (from inside)',
    manager: TRUSTED,
    route: retry('5xx', 1, { per_try_timeout: '0.2s' }),
    steps: [
      {
        script: 'ok;wait=330;body=first,ok;wait=1500;body=second',
        headers: { 'x-envoy-hedge-on-per-try-timeout': 'true' },
        lastsMs: [310, 1000],
      },
    ],
  },
  {
    name: 'max-retries-header-over',
    area: 'retry limits',
    rule: 'x-envoy-max-retries beyond num_retries counts (from inside)',
    manager: TRUSTED,
    route: retry('5xx', 1),
    steps: [{ script: '503,503,503,ok', headers: { 'x-envoy-max-retries': '3' } }],
  },
];
