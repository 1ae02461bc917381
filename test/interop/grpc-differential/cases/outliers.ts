import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase, Step } from '../case.ts';
import { HANG_MS } from './pieces.ts';

const four = (outlier_detection: JsonObject): Pick<GrpcCase, 'clusters' | 'routes'> => ({
  clusters: {
    all: {
      hosts: ['a', 'b', 'c', 'd'],
      fields: {
        outlier_detection: {
          interval: '0.5s',
          base_ejection_time: '30s',
          max_ejection_time: '30s',
          max_ejection_percent: 100,
          ...outlier_detection,
        },
      },
    },
  },
  routes: [{ match: { prefix: '' }, route: { cluster: 'all' } }],
});
const outlier = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `outlier-${name}`,
  area: 'outlier detection',
  hosts: ['a', 'b', 'c', 'd'],
  ...given,
});

const WARM: Step = { times: 20, quiet: true };
/** `d` fails; two intervals' worth of calls. */
const bad: Ask = { scripts: { d: '14' } };
const load = (more: Ask = bad): readonly Step[] => [
  WARM,
  { ...more, times: 120, atOnce: 4, quiet: true },
  { waitMs: 700 },
  { ...more, times: 120, atOnce: 4, quiet: true },
  { waitMs: 700 },
];
const EJECTED: Step = { times: 60, atOnce: 4, tell: ['distinct'] };

const percentage: JsonObject = {
  failure_percentage_threshold: 50,
  enforcing_failure_percentage: 100,
  failure_percentage_minimum_hosts: 3,
  failure_percentage_request_volume: 5,
  enforcing_success_rate: 0,
  enforcing_consecutive_5xx: 0,
};

export const OUTLIERS: readonly GrpcCase[] = [
  outlier('failure-percentage', {
    rule: 'a host that fails more than `failure_percentage_threshold` is ejected',
    ...four(percentage),
    steps: [...load(), EJECTED],
  }),
  outlier('failure-percentage-volume', {
    rule: 'fewer calls than `failure_percentage_request_volume` eject nobody',
    ...four({ ...percentage, failure_percentage_request_volume: 1_000 }),
    steps: [...load(), EJECTED],
  }),
  outlier('failure-percentage-hosts', {
    rule: 'fewer hosts than `failure_percentage_minimum_hosts` eject nobody',
    ...four({ ...percentage, failure_percentage_minimum_hosts: 5 }),
    steps: [...load(), EJECTED],
  }),
  outlier('failure-percentage-default', {
    rule: '`enforcing_failure_percentage` is 0 where it is not set',
    ...four({
      failure_percentage_threshold: 50,
      failure_percentage_minimum_hosts: 3,
      failure_percentage_request_volume: 5,
      enforcing_success_rate: 0,
    }),
    steps: [...load(), EJECTED],
    differs: 'Consecutive failures are counted for gRPC too, and five in a row eject by default, as in Envoy.',
  }),
  outlier('not-enforced', {
    rule: '`enforcing_failure_percentage: 0` ejects nobody',
    ...four({ ...percentage, enforcing_failure_percentage: 0 }),
    steps: [...load(), EJECTED],
  }),
  outlier('success-rate', {
    rule: 'a host far below the mean success rate is ejected',
    ...four({
      success_rate_minimum_hosts: 3,
      success_rate_request_volume: 5,
      success_rate_stdev_factor: 500,
      enforcing_success_rate: 100,
      enforcing_consecutive_5xx: 0,
    }),
    steps: [...load(), EJECTED],
  }),
  outlier('success-rate-alike', {
    rule: 'hosts that fail alike are not ejected by success rate',
    ...four({
      success_rate_minimum_hosts: 3,
      success_rate_request_volume: 5,
      enforcing_success_rate: 100,
      enforcing_consecutive_5xx: 0,
    }),
    steps: [...load({ script: '14' }), EJECTED],
  }),
  outlier('codes', {
    rule: 'any status but OK counts as a failure: NOT_FOUND',
    ...four({ ...percentage }),
    steps: [...load({ scripts: { d: '5' } }), EJECTED],
    differs: 'A status counts as the HTTP status that stands for it, as in Envoy: NOT_FOUND is no failure of the host.',
  }),
  outlier('head', {
    rule: 'a status in trailers after the head counts',
    ...four({ ...percentage }),
    steps: [...load({ scripts: { d: 'head-14' } }), EJECTED],
  }),
  outlier('consecutive', {
    rule: '`consecutive_5xx` is not looked at',
    ...four({ consecutive_5xx: 3, enforcing_success_rate: 0 }),
    steps: [...load(), EJECTED],
    differs: "`consecutive_5xx` ejects for gRPC too: it is what Istio's `outlierDetection` says.",
  }),
  outlier('back', {
    rule: 'an ejected host comes back after `base_ejection_time`',
    ...four({ ...percentage, base_ejection_time: '0.5s', enforcing_consecutive_5xx: 0 }),
    steps: [...load(), { waitMs: 2_000 }, { times: 60, atOnce: 4, tell: ['distinct'] }],
  }),
  outlier('maximum', {
    rule: '`max_ejection_percent` of 25: one of four, though two fail',
    ...four({ ...percentage, max_ejection_percent: 25, enforcing_consecutive_5xx: 0 }),
    steps: [...load({ scripts: { c: '14', d: '14' } }), EJECTED],
  }),
  outlier('invalid', {
    rule: 'a percentage above 100 is refused',
    ...four({ enforcing_failure_percentage: 101 }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  outlier('invalid-interval', {
    rule: 'a negative interval is refused',
    ...four({ interval: '-1s' }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
];
