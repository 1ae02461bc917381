import type { JsonObject } from '@bufbuild/protobuf';
import { type Ask, FRESH, type PolicyCase } from '../case.ts';

const ask = (script: string): Ask => ({
  script,
  method: 'POST',
  headers: { 'content-type': 'application/grpc' },
});

const grpc = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  hosts: FRESH,
  name: `grpc-${name}`,
  area: 'gRPC',
  ...given,
});

const breaker = (threshold: JsonObject): JsonObject => ({ circuit_breakers: { thresholds: [threshold] } });

/** Answers of the mesh itself to calls of gRPC. */
export const GRPC: readonly PolicyCase[] = [
  grpc('reset', {
    rule: 'a reset is 200 with UNAVAILABLE',
    steps: [ask('reset')],
  }),
  grpc('refused', {
    rule: 'a refused connection is UNAVAILABLE',
    hosts: [{ name: 'a', connections: 'refuse' }],
    steps: [ask('ok')],
  }),
  grpc('timeout', {
    rule: 'a late call is UNAVAILABLE: the status of 504',
    route: { timeout: '0.2s' },
    steps: [ask('stall')],
  }),
  grpc('overflow', {
    rule: 'an overflow of the breaker is UNAVAILABLE with x-envoy-overloaded',
    cluster: breaker({ max_requests: 0 }),
    steps: [ask('ok')],
  }),
  grpc('retried', {
    rule: 'a POST of gRPC is retried by the words of its policy',
    route: {
      retry_policy: { retry_on: 'unavailable,reset', num_retries: 2, retry_back_off: { base_interval: '0.001s' } },
    },
    steps: [
      ask('reset,ok;content-type=application/grpc;grpc-status=14,ok;content-type=application/grpc;grpc-status=0'),
    ],
  }),
  grpc('spent', {
    rule: 'the last answer of a call whose retries are spent comes as it is',
    route: { retry_policy: { retry_on: 'unavailable', num_retries: 1, retry_back_off: { base_interval: '0.001s' } } },
    steps: [ask('ok;content-type=application/grpc;grpc-status=14;grpc-message=busy')],
  }),
];
