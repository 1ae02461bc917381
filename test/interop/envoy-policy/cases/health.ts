import type { JsonObject } from '@bufbuild/protobuf';
import type { PolicyCase, Step } from '../case.ts';

const checked = (check: JsonObject): JsonObject => ({
  health_checks: [
    {
      timeout: '0.2s',
      interval: '0.2s',
      no_traffic_interval: '0.2s',
      unhealthy_threshold: 1,
      healthy_threshold: 1,
      ...check,
    },
  ],
  common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: '0s' },
});

/** Checks begin with the first call. */
const SEVERAL = { times: 6, quiet: true, tellsReached: true };
const STEPS: readonly Step[] = [{ script: 'ok', quiet: true }, { waitMs: 500 }, { script: 'ok', ...SEVERAL }];

const health = (name: string, given: Pick<PolicyCase, 'rule'> & Partial<PolicyCase>): PolicyCase => ({
  name: `health-${name}`,
  area: 'health checks',
  hosts: [{ name: 'a' }, { name: 'b', script: '503' }],
  steps: STEPS,
  counters: 'ignored',
  ...given,
});

/** What a gRPC server answers to Health/Check: one message with `status`, then `grpc-status: 0`. */
const serving = (status: number): string =>
  `ok;content-type=application/grpc;trailer.grpc-status=0;body=\0\0\0\0\x02\x08${String.fromCharCode(status)}`;

/** Checks carry no script: what a host answers to them stands in its own. */
export const HEALTH: readonly PolicyCase[] = [
  health('http', {
    rule: 'http_health_check: a host that does not answer 200 is left out',
    cluster: checked({ http_health_check: { path: '/health' } }),
  }),
  health('http-statuses', {
    rule: 'expected_statuses: 503 is healthy where it is expected, 200 then is not',
    cluster: checked({ http_health_check: { path: '/health', expected_statuses: [{ start: 503, end: 504 }] } }),
  }),
  health('http-timeout', {
    rule: 'a check that is not answered within its timeout has failed',
    hosts: [{ name: 'a' }, { name: 'b', script: 'stall' }],
    cluster: checked({ http_health_check: { path: '/health' } }),
    steps: [{ script: 'ok', quiet: true }, { waitMs: 800 }, { script: 'ok', ...SEVERAL }],
  }),
  health('http-recovers', {
    rule: 'healthy_threshold 2: after two good checks a host is used again',
    hosts: [{ name: 'a' }, { name: 'b', script: '503,503,503,503,503,503,ok' }],
    cluster: checked({ healthy_threshold: 2, http_health_check: { path: '/health' } }),
    steps: [
      { script: 'ok', quiet: true },
      { waitMs: 300 },
      { script: 'ok', ...SEVERAL },
      { waitMs: 1500 },
      { script: 'ok', ...SEVERAL },
    ],
  }),
  health('tcp', {
    rule: 'tcp_health_check: a host that refuses connections is left out',
    hosts: [{ name: 'a' }, { name: 'b', connections: 'refuse' }],
    cluster: checked({ tcp_health_check: {} }),
  }),
  health('all-down', {
    rule: 'all hosts unhealthy and no panic threshold: 503 UH',
    hosts: [{ name: 'a', script: '503' }],
    cluster: checked({ http_health_check: { path: '/health' } }),
    steps: [{ script: 'ok', quiet: true }, { waitMs: 500 }, { script: 'ok', times: 2 }],
  }),
  health('grpc', {
    rule: 'grpc_health_check: SERVING alone is healthy; NOT_SERVING is left out',
    hosts: [
      { name: 'a', protocol: 'h2', script: serving(1) },
      { name: 'b', protocol: 'h2', script: serving(2) },
    ],
    cluster: checked({ grpc_health_check: { service_name: 'reviews' } }),
  }),
  health('grpc-no-service', {
    rule: 'a host that does not know the health service (UNIMPLEMENTED) is left out',
    hosts: [
      { name: 'a', protocol: 'h2', script: serving(1) },
      { name: 'b', protocol: 'h2', script: 'ok;content-type=application/grpc;grpc-status=12' },
    ],
    cluster: checked({ grpc_health_check: {} }),
  }),
];
