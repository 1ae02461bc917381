import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { HANG_MS, toA } from './pieces.ts';

const QUICK: JsonObject = { base_interval: '0.02s', max_interval: '0.04s' };
const policy = (retry_on: string, fields: JsonObject = {}): JsonObject => ({
  retry_policy: { retry_on, num_retries: 1, retry_back_off: QUICK, ...fields },
});
const on = (retry_on: string, fields: JsonObject = {}): readonly JsonObject[] => toA(policy(retry_on, fields));

/** What is called, and how many attempts arrived. */
const scripts = (...list: readonly string[]): readonly Ask[] => list.map((script) => ({ script, tell: ['attempts'] }));

const retry = (name: string, given: Omit<GrpcCase, 'name' | 'area' | 'hosts'>): GrpcCase => ({
  name: `retry-${name}`,
  area: 'retries',
  hosts: ['a'],
  ...given,
});

const WORDS = 'cancelled,deadline-exceeded,internal,resource-exhausted,unavailable';

export const RETRIES: readonly GrpcCase[] = [
  retry('none', {
    rule: 'without a policy a status is not retried',
    steps: scripts('14,ok', '8,ok'),
  }),
  retry('words', {
    rule: 'the five words, each its status alone',
    routes: on(WORDS),
    steps: scripts('1,ok', '4,ok', '13,ok', '8,ok', '14,ok', '2,ok', '7,ok', '10,ok', '5,ok'),
  }),
  retry('unavailable', {
    rule: '`unavailable` alone',
    routes: on('unavailable'),
    steps: scripts('14,ok', '1,ok', '4,ok', '8,ok', '13,ok'),
  }),
  retry('space', {
    rule: 'a blank after the comma: is the second word honoured',
    routes: on('unavailable, resource-exhausted'),
    steps: scripts('14,ok', '8,ok'),
  }),
  retry('envoy-words', {
    rule: 'words that are not gRPC statuses (`5xx`, `reset`, `connect-failure`, `retriable-status-codes`)',
    routes: on('5xx,gateway-error,connect-failure,reset,retriable-status-codes,refused-stream', {
      retriable_status_codes: [503],
    }),
    steps: scripts('14,ok', '13,ok'),
  }),
  retry('upper-case', {
    rule: 'words in capitals',
    routes: on('UNAVAILABLE'),
    steps: scripts('14,ok'),
  }),
  retry('empty', {
    rule: 'an empty `retry_on`',
    routes: on(''),
    steps: scripts('14,ok'),
  }),
  retry('unset', {
    rule: '`num_retries` that is not set is 1',
    routes: toA({ retry_policy: { retry_on: 'unavailable', retry_back_off: QUICK } }),
    steps: scripts('14,ok', '14,14,ok'),
  }),
  retry('zero', {
    rule: '`num_retries: 0` is refused',
    routes: on('unavailable', { num_retries: 0 }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  retry('three', {
    rule: '`num_retries: 3` is four attempts',
    routes: on('unavailable', { num_retries: 3 }),
    steps: scripts('14,14,14,ok', '14,14,14,14,ok'),
  }),
  retry('twenty', {
    rule: '`num_retries: 20` and six failures: are attempts limited to five',
    routes: on('unavailable', { num_retries: 20 }),
    steps: scripts('14,14,14,14,14,14,ok'),
  }),
  retry('committed', {
    rule: 'a status in trailers after the head is not retried',
    routes: on('unavailable'),
    steps: scripts('head-14,ok'),
  }),
  retry('virtual-host', {
    rule: 'the policy of the virtual host holds for routes without one',
    virtualHost: policy('unavailable'),
    steps: scripts('14,ok'),
  }),
  retry('virtual-host-replaced', {
    rule: 'the policy of a route replaces that of the virtual host whole',
    routes: on('internal'),
    virtualHost: policy('unavailable', { num_retries: 3 }),
    steps: scripts('14,ok', '13,ok', '13,13,ok'),
  }),
  retry('pushback', {
    rule: '`grpc-retry-pushback-ms` of the server is waited for',
    routes: on('unavailable'),
    steps: [{ script: '14;pushback=300,ok', tell: ['attempts'], lastsMs: [290, 600] }],
  }),
  retry('pushback-stop', {
    rule: 'a negative `grpc-retry-pushback-ms` stops the retries',
    routes: on('unavailable', { num_retries: 3 }),
    steps: scripts('14;pushback=-1,ok'),
  }),
  retry('pushback-odd', {
    rule: '`grpc-retry-pushback-ms` that is no number stops the retries',
    routes: on('unavailable', { num_retries: 3 }),
    steps: scripts('14;pushback=soon,ok'),
  }),
  retry('previous-attempts', {
    rule: '`grpc-previous-rpc-attempts` tells the server',
    routes: on('unavailable', { num_retries: 3 }),
    steps: [
      { script: '14,14,ok', tell: ['sent'], sent: ['grpc-previous-rpc-attempts'] },
      { tell: ['sent'], sent: ['grpc-previous-rpc-attempts'] },
    ],
  }),
  retry('refused', {
    rule: 'a refused stream is sent once more without any policy',
    steps: scripts('refuse,ok'),
  }),
  retry('refused-twice', {
    rule: 'a stream that is refused twice without any policy',
    steps: scripts('refuse,refuse,ok'),
  }),
  retry('reset', {
    rule: 'a reset is not retried without a policy',
    steps: scripts('reset-2,ok', 'reset-8,ok'),
  }),
  retry('reset-unavailable', {
    rule: 'a reset (INTERNAL_ERROR) counts as which status',
    routes: on('unavailable'),
    steps: scripts('reset-2,ok'),
  }),
  retry('reset-internal', {
    rule: 'a reset (INTERNAL_ERROR) is retried for `internal`',
    routes: on('internal'),
    steps: scripts('reset-2,ok'),
  }),
  retry('back-off', {
    rule: '`retry_back_off` is the pause before the attempt',
    routes: on('unavailable', { retry_back_off: { base_interval: '0.4s', max_interval: '0.4s' } }),
    steps: [{ script: '14,ok', tell: ['attempts'], lastsMs: [0, 1_000] }],
  }),
  retry('back-off-zero', {
    rule: '`base_interval` of 0 is refused',
    routes: on('unavailable', { retry_back_off: { base_interval: '0s' } }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  retry('back-off-none', {
    rule: '`retry_back_off` without `base_interval`',
    routes: on('unavailable', { retry_back_off: { max_interval: '1s' } }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  retry('back-off-order', {
    rule: '`max_interval` below `base_interval`',
    routes: on('unavailable', { retry_back_off: { base_interval: '1s', max_interval: '0.5s' } }),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  retry('per-try-timeout', {
    rule: '`per_try_timeout` ends an attempt',
    routes: on('deadline-exceeded,unavailable,cancelled', { per_try_timeout: '0.2s' }),
    steps: scripts('slow-700,ok'),
    differs: '`per_try_timeout` is honoured: an attempt that takes too long is given up and sent again, as in Envoy.',
  }),
  retry('deadline', {
    rule: 'the deadline covers all attempts',
    routes: on('unavailable', { num_retries: 4 }),
    steps: [
      {
        script: '14;pushback=200,14;pushback=200,14;pushback=200,14;pushback=200,ok',
        timeoutMs: 500,
        lastsMs: [450, 700],
      },
    ],
  }),
];
