import type { JsonObject } from '@bufbuild/protobuf';
import type { CaseHost, PolicyCase } from '../case.ts';

const breaker = (threshold: JsonObject): JsonObject => ({ circuit_breakers: { thresholds: [threshold] } });
const H2: readonly CaseHost[] = [{ name: 'a', protocol: 'h2' }];

const limit = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `limit-${name}`,
  area: 'circuit breakers',
  ...given,
});

export const BREAKERS: readonly PolicyCase[] = [
  limit('drop-overload', {
    rule: 'drop_overloads of 100 %: 503 UDO, no retry, nobody hears of it',
    assignment: {
      policy: { drop_overloads: [{ category: 'lb', drop_percentage: { numerator: 100, denominator: 'HUNDRED' } }] },
    },
    route: { retry_policy: { retry_on: '5xx', num_retries: 2 } },
    steps: [{ script: 'ok', times: 2 }],
  }),
  limit('drop-overload-share', {
    rule: 'drop_overloads of 40 %',
    assignment: {
      policy: { drop_overloads: [{ category: 'lb', drop_percentage: { numerator: 40, denominator: 'HUNDRED' } }] },
    },
    counters: 'ignored',
    share: { of: { status: 503 }, is: 0.4 },
    steps: [{ script: 'ok', times: 400, atOnce: 10 }],
  }),
  limit('max-requests', {
    rule: 'max_requests 2 on HTTP/1.1: the third request under way is answered 503 UO with x-envoy-overloaded',
    cluster: breaker({ max_requests: 2 }),
    steps: [{ script: 'ok;wait=400', times: 5, atOnce: 5 }, { script: 'ok' }],
  }),
  limit('max-requests-h2', {
    rule: 'max_requests 2 on HTTP/2',
    hosts: H2,
    cluster: breaker({ max_requests: 2 }),
    steps: [{ script: 'ok;wait=400', times: 5, atOnce: 5 }],
  }),
  limit('max-requests-0', {
    rule: 'max_requests 0: every request is answered UO',
    cluster: breaker({ max_requests: 0 }),
    steps: [{ script: 'ok', times: 2 }],
  }),
  limit('max-connections', {
    rule: 'max_connections 1: the others wait in the queue, all are answered',
    cluster: breaker({ max_connections: 1 }),
    tell: ['connections'],
    counters: 'ignored',
    steps: [{ script: 'ok;wait=80', times: 4, atOnce: 4 }],
  }),
  limit('max-connections-2-hosts', {
    rule: 'max_connections 1 with two hosts: a host without a connection may always have one',
    hosts: [{ name: 'a' }, { name: 'b' }],
    cluster: breaker({ max_connections: 1 }),
    tell: ['connections'],
    counters: 'ignored',
    steps: [{ script: 'ok;wait=150', times: 4, atOnce: 4 }],
  }),
  limit('max-pending-connected', {
    rule: 'max_connections 1, max_pending_requests 1, connected: one served, one waits, the others UO',
    cluster: breaker({ max_connections: 1, max_pending_requests: 1 }),
    steps: [{ script: 'ok' }, { script: 'ok;wait=300', times: 5, atOnce: 5 }],
  }),
  limit('max-pending-0', {
    rule: 'max_pending_requests 0: a request that needs a new connection is UO, so none is ever made',
    cluster: breaker({ max_pending_requests: 0 }),
    steps: [{ script: 'ok', times: 2 }],
  }),
  limit('max-connections-0', {
    rule: 'max_connections 0: a host without a connection may have one all the same',
    cluster: breaker({ max_connections: 0 }),
    counters: 'ignored',
    steps: [{ script: 'ok', times: 2 }],
  }),
  limit('max-connections-h2', {
    rule: 'HTTP/2 with max_connections 1 and one stream a connection: the others wait',
    hosts: [{ name: 'a', protocol: 'h2', maxConcurrentStreams: 1 }],
    cluster: breaker({ max_connections: 1 }),
    counters: 'ignored',
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok;wait=100', times: 3, atOnce: 3 }],
  }),
  limit('per-host', {
    rule: 'per_host_thresholds max_connections 1: one connection a host, the others wait',
    hosts: [{ name: 'a' }, { name: 'b' }],
    cluster: { circuit_breakers: { per_host_thresholds: [{ max_connections: 1 }] } },
    counters: 'ignored',
    tell: ['connections'],
    steps: [{ script: 'ok;wait=200', times: 6, atOnce: 6 }],
  }),
  limit('high-priority', {
    rule: 'thresholds of HIGH bound only requests of that priority',
    cluster: { circuit_breakers: { thresholds: [{ priority: 'HIGH', max_requests: 0 }] } },
    route: { priority: 'HIGH' },
    steps: [{ script: 'ok' }],
  }),
  limit('high-priority-apart', {
    rule: 'thresholds of DEFAULT do not bound requests of HIGH',
    cluster: breaker({ max_requests: 0 }),
    route: { priority: 'HIGH' },
    steps: [{ script: 'ok' }],
  }),
  limit('overflow-retried', {
    rule: 'an answer UO of the breaker is never retried',
    cluster: breaker({ max_requests: 0 }),
    route: { retry_policy: { retry_on: '5xx,gateway-error,reset,connect-failure', num_retries: 2 } },
    steps: [{ script: 'ok' }],
  }),
  limit('upstream-overloaded', {
    rule: 'x-envoy-overloaded of an upstream does not keep from a retry',
    route: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } } },
    steps: [{ script: '503;x-envoy-overloaded=true,ok' }],
  }),
];
