import type { JsonObject } from '@bufbuild/protobuf';
import { type CaseHost, FRESH, type PolicyCase } from '../case.ts';

/** No counting by rate, so that a case shows what it names. */
const ALONE = { enforcing_success_rate: 0, enforcing_failure_percentage: 0, max_ejection_percent: 100 };

/** Envoy gathers changes of health for a second by default: workers learn of an ejection that much later. */
const AT_ONCE = { update_merge_window: '0s' };
const NO_PANIC = { ...AT_ONCE, healthy_panic_threshold: { value: 0 } };

const outlier = (fields: JsonObject, more: JsonObject = {}): JsonObject => ({
  outlier_detection: { ...ALONE, interval: '60s', base_ejection_time: '60s', ...fields },
  common_lb_config: NO_PANIC,
  ...more,
});

const hosts = (count: number, more: Partial<CaseHost> = {}): readonly CaseHost[] =>
  Array.from({ length: count }, (_, at) => ({ ...more, name: 'abcdefghij'.charAt(at) || `h${at}` }));

/** Hosts of a case about shares; each is asked once, all at once. */
const MANY = 100;
const HALF: PolicyCase['share'] = { of: { ejected: true }, is: 0.5 };

/** Four hosts in ten answer errors: far enough below the mean to be outliers. */
const FEW_BAD = Object.fromEntries(
  hosts(MANY)
    .slice(0, 40)
    .map(({ name }) => [name, '503']),
);
/** As many refuse connections. */
const FEW_REFUSE = hosts(MANY).map((host, at) => (at < 40 ? { ...host, connections: 'refuse' as const } : host));
const SOME: PolicyCase['share'] = { of: { ejected: true }, is: 0.2 };
const BY_RATE = {
  consecutive_5xx: 1000,
  interval: '1s',
  success_rate_request_volume: 1,
  success_rate_stdev_factor: 1000,
  success_rate_minimum_hosts: 5,
};
const LOCAL = { split_external_local_origin_errors: true, enforcing_local_origin_success_rate: 0 };

const BAD_A = { a: '503' };

const ejection = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  hosts: FRESH,
  name: `outlier-${name}`,
  area: 'outlier detection',
  ...given,
});

const SEE = { see: 'ejected' } as const;
const UNEVEN: PolicyCase['counters'] = 'ignored';

export const OUTLIERS: readonly PolicyCase[] = [
  ejection('consecutive-5xx', {
    rule: 'consecutive_5xx 3: the third 5xx in a row ejects, at once',
    cluster: outlier({ consecutive_5xx: 3 }),
    steps: [{ script: '500', times: 2 }, SEE, { script: '500' }, SEE, { script: 'ok' }],
  }),
  ejection('consecutive-default', {
    rule: 'an empty outlier_detection: 5 in a row are detected; max_ejection_percent 10 of 1 host is none: it stays',
    cluster: { outlier_detection: {} },
    steps: [{ script: '503', times: 4 }, SEE, { script: '503' }, SEE, { script: 'ok' }],
  }),
  ejection('consecutive-broken', {
    rule: 'a success starts the count anew; 4xx is a success',
    cluster: outlier({ consecutive_5xx: 3 }),
    steps: [{ script: '500', times: 2 }, { script: '404' }, { script: '500', times: 2 }, SEE, { script: '500' }, SEE],
  }),
  ejection('local-origin-counts', {
    rule: 'without split a reset counts as a 5xx and as a gateway failure; so does a refused connection and a timeout',
    cluster: outlier({ consecutive_5xx: 3 }),
    route: { timeout: '0.15s' },
    steps: [{ script: 'reset' }, { script: 'close' }, SEE, { script: 'stall' }, SEE],
  }),
  ejection('gateway', {
    rule: 'consecutive_gateway_failure 2 (enforcing 100): 502, 503, 504; a 500 starts the count anew',
    cluster: outlier({
      consecutive_5xx: 100,
      consecutive_gateway_failure: 2,
      enforcing_consecutive_gateway_failure: 100,
    }),
    steps: [{ script: '502' }, { script: '500' }, { script: '503' }, SEE, { script: '504' }, SEE],
  }),
  ejection('gateway-not-enforced', {
    rule: 'consecutive gateway failures are detected, not enforced, by default',
    cluster: outlier({ consecutive_5xx: 100, consecutive_gateway_failure: 2 }),
    steps: [{ script: '503', times: 3 }, SEE],
  }),
  ejection('enforcing-0', {
    rule: 'enforcing_consecutive_5xx 0: detected, never ejected',
    cluster: outlier({ consecutive_5xx: 2, enforcing_consecutive_5xx: 0 }),
    counters: UNEVEN,
    steps: [{ script: '503', times: 6 }, SEE],
  }),
  ejection('refused', {
    rule: 'a refused connection counts (consecutive_5xx, no split)',
    hosts: hosts(1, { connections: 'refuse' }),
    cluster: outlier({ consecutive_5xx: 2 }),
    steps: [{ script: 'ok', times: 2 }, SEE, { script: 'ok' }],
  }),
  ejection('split', {
    rule: 'split_external_local_origin_errors: resets never eject: each connection made starts the count anew',
    cluster: outlier({
      split_external_local_origin_errors: true,
      consecutive_5xx: 2,
      consecutive_local_origin_failure: 4,
    }),
    steps: [{ script: 'reset', times: 3 }, SEE, { script: 'reset' }, SEE],
  }),
  ejection('split-refused', {
    rule: 'split: refused connections count as local origin failures',
    hosts: hosts(1, { connections: 'refuse' }),
    cluster: outlier({
      split_external_local_origin_errors: true,
      consecutive_5xx: 1,
      consecutive_local_origin_failure: 3,
    }),
    steps: [{ script: 'ok', times: 2 }, SEE, { script: 'ok' }, SEE],
  }),
  ejection('split-timeout', {
    rule: 'split: nor do timeouts of requests that were sent',
    cluster: outlier({
      split_external_local_origin_errors: true,
      consecutive_5xx: 1,
      consecutive_local_origin_failure: 2,
    }),
    route: { timeout: '0.15s' },
    steps: [{ script: 'stall' }, SEE, { script: 'stall' }, SEE],
  }),
  ejection('split-answer-resets', {
    rule: 'split: a connection that is made starts the count of local origin failures anew',
    cluster: outlier({
      split_external_local_origin_errors: true,
      consecutive_5xx: 100,
      consecutive_local_origin_failure: 3,
    }),
    steps: [
      { script: 'reset', times: 2 },
      { script: '503' },
      { script: 'reset', times: 2 },
      SEE,
      { script: 'reset' },
      SEE,
    ],
  }),
  ejection('max-percent', {
    rule: 'max_ejection_percent 50 of 4 hosts: two are ejected, a third is not',
    hosts: hosts(4),
    cluster: outlier({ consecutive_5xx: 1, max_ejection_percent: 50 }),
    counters: UNEVEN,
    steps: [
      { scripts: { a: '503', b: '503' }, times: 8, quiet: true },
      SEE,
      { scripts: { c: '503' }, times: 8, quiet: true },
      SEE,
      { script: 'ok', times: 4 },
    ],
  }),
  ejection('max-percent-one', {
    rule: 'max_ejection_percent 10 (default) of 2 hosts: none is ejected',
    hosts: hosts(2),
    cluster: { outlier_detection: { consecutive_5xx: 1, interval: '60s' }, common_lb_config: NO_PANIC },
    counters: UNEVEN,
    steps: [
      { scripts: { a: 'ok', b: 'ok' }, times: 2 },
      SEE,
      { scripts: { a: '503', b: '503' } },
      { scripts: { a: '503', b: '503' } },
      { scripts: { a: 'ok', b: 'ok' } },
    ],
  }),
  ejection('max-percent-0', {
    rule: 'max_ejection_percent 0: none is ejected',
    hosts: hosts(2),
    cluster: outlier({ consecutive_5xx: 1, max_ejection_percent: 0 }),
    counters: UNEVEN,
    steps: [{ scripts: BAD_A, times: 4, quiet: true }, SEE],
  }),
  ejection('always-one', {
    rule: 'always_eject_one_host: one host is ejected whatever max_ejection_percent says',
    hosts: hosts(2),
    cluster: outlier({ consecutive_5xx: 1, max_ejection_percent: 0, always_eject_one_host: true }),
    counters: UNEVEN,
    steps: [{ script: '503', times: 2 }, { waitMs: 50 }, { script: 'ok', times: 4 }],
    tell: ['distinct'],
  }),
  ejection('merge-window', {
    rule: 'update_merge_window (1 s): the second ejection within it reaches the balancer late',
    hosts: hosts(2),
    cluster: outlier({ consecutive_5xx: 1 }, { common_lb_config: { healthy_panic_threshold: { value: 0 } } }),
    counters: UNEVEN,
    steps: [{ script: '503', times: 2 }, SEE, { script: 'ok', times: 2 }, { waitMs: 1300 }, { script: 'ok' }],
    differs: 'An ejection counts from the next call on.',
  }),
  ejection('split-h2', {
    rule: 'split: a stream that is reset has had its connection: the count begins anew with each, none is ejected',
    hosts: hosts(1, { protocol: 'h2' }),
    cluster: outlier({
      split_external_local_origin_errors: true,
      consecutive_5xx: 1,
      consecutive_local_origin_failure: 2,
    }),
    steps: [{ script: 'rst;code=2', times: 4 }, SEE],
  }),
  ejection('all-ejected', {
    rule: 'all hosts ejected and no panic threshold: 503 UH, no healthy upstream',
    hosts: hosts(2),
    cluster: outlier({ consecutive_5xx: 1 }),
    counters: UNEVEN,
    steps: [{ script: '503', times: 2 }, SEE, { script: 'ok', times: 2 }],
  }),
  ejection('all-ejected-panic', {
    rule: 'all hosts ejected with the default panic threshold (50 %): all are used',
    hosts: hosts(2),
    cluster: outlier({ consecutive_5xx: 1 }, { common_lb_config: AT_ONCE }),
    counters: UNEVEN,
    steps: [{ script: '503', times: 2 }, SEE, { script: 'ok', times: 4 }],
  }),
  ejection('un-ejection', {
    rule: 'base_ejection_time over: un-ejected at the next interval',
    cluster: outlier({ consecutive_5xx: 1, interval: '0.1s', base_ejection_time: '0.8s' }),
    counters: UNEVEN,
    steps: [
      { script: '503' },
      SEE,
      { waitMs: 100 },
      SEE,
      { script: 'ok' },
      { waitMs: 1500 },
      SEE,
      { waitMs: 100 },
      { script: 'ok' },
    ],
  }),
  ejection('ejection-grows', {
    rule: 'ejected again before an interval has passed in health: 2 × base_ejection_time',
    cluster: outlier({ consecutive_5xx: 1, interval: '0.8s', base_ejection_time: '0.5s' }),
    counters: UNEVEN,
    steps: [
      { script: '503' },
      SEE,
      // An interval ends: the next one does 0.8 s later, when 0.5 s would be over.
      { until: 'none ejected' },
      { script: '503' },
      { waitMs: 1150 },
      SEE,
      { waitMs: 900 },
      SEE,
    ],
  }),
  ejection('ejection-shrinks', {
    rule: 'each interval in health takes one ejection off: the next lasts base_ejection_time again',
    cluster: outlier({ consecutive_5xx: 1, interval: '0.1s', base_ejection_time: '0.8s' }),
    counters: UNEVEN,
    steps: [{ script: '503' }, { waitMs: 1250 }, SEE, { script: '503' }, SEE, { waitMs: 1250 }, SEE],
  }),
  ejection('ejection-maximum', {
    rule: 'max_ejection_time bounds the second ejection',
    cluster: outlier({ consecutive_5xx: 1, interval: '0.8s', base_ejection_time: '0.5s', max_ejection_time: '0.5s' }),
    counters: UNEVEN,
    steps: [{ script: '503' }, SEE, { until: 'none ejected' }, { script: '503' }, SEE, { waitMs: 1150 }, SEE],
  }),
  ejection('failure-percentage', {
    rule: 'failure_percentage: volume 10 and threshold 50 in one interval ejects at its end',
    hosts: hosts(2),
    cluster: outlier({
      consecutive_5xx: 1000,
      interval: '0.5s',
      enforcing_failure_percentage: 100,
      failure_percentage_threshold: 50,
      failure_percentage_minimum_hosts: 2,
      failure_percentage_request_volume: 10,
    }),
    counters: UNEVEN,
    steps: [{ scripts: BAD_A, times: 100, atOnce: 4, quiet: true }, { waitMs: 700 }, SEE],
  }),
  ejection('failure-percentage-few-hosts', {
    rule: 'failure_percentage_minimum_hosts is 5: two hosts are not compared',
    hosts: hosts(2),
    cluster: outlier({
      consecutive_5xx: 1000,
      interval: '0.5s',
      enforcing_failure_percentage: 100,
      failure_percentage_threshold: 50,
      failure_percentage_request_volume: 10,
    }),
    counters: UNEVEN,
    steps: [{ scripts: BAD_A, times: 100, atOnce: 4, quiet: true }, { waitMs: 700 }, SEE],
  }),
  ejection('success-rate', {
    rule: 'success_rate: 5 hosts, volume 10: below mean − 1.9 standard deviations is ejected',
    hosts: hosts(6),
    cluster: outlier({
      consecutive_5xx: 1000,
      interval: '0.8s',
      enforcing_success_rate: 100,
      success_rate_request_volume: 10,
      success_rate_minimum_hosts: 5,
    }),
    counters: UNEVEN,
    steps: [{ scripts: BAD_A, times: 300, atOnce: 6, quiet: true }, { waitMs: 1000 }, SEE],
  }),
  ejection('grpc-status', {
    rule: 'a grpc-status of a gRPC answer counts as its HTTP status: UNAVAILABLE is 503',
    hosts: hosts(1, { protocol: 'h2' }),
    cluster: outlier({ consecutive_5xx: 2 }),
    steps: [
      {
        script: 'ok;content-type=application/grpc;grpc-status=14',
        headers: { 'content-type': 'application/grpc' },
        times: 2,
      },
      SEE,
    ],
  }),
  ejection('retries-count', {
    rule: 'each try counts for its host, not the call',
    cluster: outlier({ consecutive_5xx: 3 }),
    route: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } } },
    steps: [{ script: '503' }, SEE],
  }),
  ejection('breaker-does-not-count', {
    rule: 'answers UO of the breaker do not count against the host',
    cluster: outlier({ consecutive_5xx: 1 }, { circuit_breakers: { thresholds: [{ max_requests: 0 }] } }),
    steps: [{ script: 'ok', times: 3 }, SEE],
  }),
  ejection('per-try-timeout-counts', {
    rule: 'a per-try timeout counts as a gateway failure of its host',
    cluster: outlier({ consecutive_5xx: 2 }),
    route: { retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.1s' } },
    steps: [{ script: 'stall' }, SEE],
  }),
  ejection('broken-body', {
    rule: 'an answer 200 that breaks off in its body counts as a failure',
    cluster: outlier({ consecutive_5xx: 1 }),
    steps: [{ script: 'reset-body;body=abcdefgh' }, { waitMs: 50 }, SEE],
  }),
  ejection('failover', {
    rule: 'the ejected host was all of its priority: the next one is used, until it is back',
    hosts: [{ name: 'a' }, { name: 'b', priority: 1 }],
    cluster: outlier({ consecutive_5xx: 2, interval: '0.1s', base_ejection_time: '1s' }),
    counters: UNEVEN,
    tell: ['hosts'],
    steps: [
      { scripts: BAD_A, times: 2 },
      SEE,
      { script: 'ok', times: 3 },
      { waitMs: 1400 },
      SEE,
      { script: 'ok', times: 3 },
    ],
  }),
  ejection('enforcing-share', {
    rule: 'enforcing_consecutive_5xx 50: half of the hosts are ejected',
    hosts: hosts(MANY),
    cluster: outlier({ consecutive_5xx: 1, enforcing_consecutive_5xx: 50 }),
    share: HALF,
    steps: [{ script: '503;wait=500', times: MANY, atOnce: MANY }],
  }),
  ejection('enforcing-gateway-share', {
    rule: 'enforcing_consecutive_gateway_failure 50: half of the hosts are ejected',
    hosts: hosts(MANY),
    cluster: outlier({
      consecutive_5xx: 1000,
      consecutive_gateway_failure: 1,
      enforcing_consecutive_gateway_failure: 50,
    }),
    share: HALF,
    steps: [{ script: '503;wait=500', times: MANY, atOnce: MANY }],
  }),
  ejection('enforcing-failure-percentage-share', {
    rule: 'enforcing_failure_percentage 50: half of the hosts are ejected',
    hosts: hosts(MANY),
    cluster: outlier({
      consecutive_5xx: 1000,
      interval: '1s',
      enforcing_failure_percentage: 50,
      failure_percentage_threshold: 50,
      failure_percentage_request_volume: 1,
    }),
    share: HALF,
    steps: [{ script: '503;wait=500', times: MANY, atOnce: MANY }, { waitMs: 1300 }],
  }),
  ejection('enforcing-success-rate-share', {
    rule: 'enforcing_success_rate 50: of four hosts in ten that are far below the mean half are ejected',
    hosts: hosts(MANY),
    cluster: outlier({ ...BY_RATE, enforcing_success_rate: 50 }),
    share: SOME,
    steps: [{ script: 'ok', scripts: FEW_BAD, times: 3 * MANY, atOnce: MANY }, { waitMs: 1300 }],
  }),
  ejection('enforcing-local-origin-share', {
    rule: 'enforcing_consecutive_local_origin_failure 50: of four hosts in ten that refuse connections half are ejected',
    hosts: FEW_REFUSE,
    cluster: outlier({
      ...LOCAL,
      consecutive_local_origin_failure: 1,
      enforcing_consecutive_local_origin_failure: 50,
    }),
    share: SOME,
    steps: [{ script: 'ok', times: MANY }],
  }),
  ejection('enforcing-local-origin-success-rate-share', {
    rule: 'enforcing_local_origin_success_rate 50: the same by the rate of connections that stand',
    hosts: FEW_REFUSE,
    cluster: outlier({
      ...BY_RATE,
      ...LOCAL,
      consecutive_local_origin_failure: 1000,
      enforcing_local_origin_success_rate: 50,
    }),
    share: SOME,
    steps: [{ script: 'ok', times: 3 * MANY, atOnce: 10 }, { waitMs: 1300 }],
  }),
];
