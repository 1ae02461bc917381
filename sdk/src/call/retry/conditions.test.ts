import { describe, expect, it } from 'vitest';
import type { RetryPolicy } from '../../model/action.ts';
import { compileConditions, mayRetryRequest, type ResetKind, retriableAnswer, retriableReset } from './conditions.ts';

const policy = (on: string, more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  on: on.split(','),
  retriableStatusCodes: [],
  numRetries: 1,
  baseIntervalMs: 25,
  maxIntervalMs: 250,
  previousHosts: false,
  hostSelectionAttempts: 1,
  ...more,
});

describe('answers that are retried (Envoy RetryStateImpl::wouldRetryFromHeaders)', () => {
  it.each([
    ['5xx', 500, '5xx'],
    ['5xx', 599, '5xx'],
    ['5xx', 499, undefined],
    ['gateway-error', 502, 'gateway-error'],
    ['gateway-error', 504, 'gateway-error'],
    ['gateway-error', 500, undefined],
    ['gateway-error', 505, undefined],
    ['retriable-4xx', 409, 'retriable-4xx'],
    ['retriable-4xx', 404, undefined],
    ['connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', 503, undefined],
    ['reset', 503, undefined],
  ])('%s and %i: %s', (on, status, word) => {
    expect(retriableAnswer(compileConditions(policy(on)), status, [])).toBe(word);
  });

  it('codes count only beside the word', () => {
    const codes = { retriableStatusCodes: [404, 200] };
    expect(retriableAnswer(compileConditions(policy('retriable-status-codes', codes)), 404, [])).toBe(
      'retriable-status-codes',
    );
    expect(retriableAnswer(compileConditions(policy('retriable-status-codes', codes)), 200, [])).toBe(
      'retriable-status-codes',
    );
    expect(retriableAnswer(compileConditions(policy('5xx', codes)), 404, [])).toBeUndefined();
  });

  it('headers count only beside the word, whatever the status', () => {
    const match = { name: 'X-Again', invert: false, treatMissingAsEmpty: false } as const;
    const retriableHeaders = [{ ...match, value: { kind: 'present', present: true } }] as const;
    const conditions = compileConditions(policy('retriable-headers', { retriableHeaders }));
    expect(retriableAnswer(conditions, 200, ['x-again', '1'])).toBe('retriable-headers');
    expect(retriableAnswer(conditions, 200, ['x-other', '1'])).toBeUndefined();
    expect(
      retriableAnswer(compileConditions(policy('5xx', { retriableHeaders })), 200, ['x-again', '1']),
    ).toBeUndefined();
  });

  it.each([
    ['cancelled', '1'],
    ['deadline-exceeded', '4'],
    ['resource-exhausted', '8'],
    ['internal', '13'],
    ['unavailable', '14'],
  ])('%s is grpc-status %s in the head of an answer', (word, status) => {
    expect(retriableAnswer(compileConditions(policy(word)), 200, ['grpc-status', status])).toBe(
      `grpc-status ${status}`,
    );
    expect(retriableAnswer(compileConditions(policy(word)), 200, ['grpc-status', '2'])).toBeUndefined();
  });

  it('what a rate limiter answered is retried only by name', () => {
    const limited = ['x-envoy-ratelimited', 'true'];
    expect(retriableAnswer(compileConditions(policy('5xx')), 503, limited)).toBeUndefined();
    expect(retriableAnswer(compileConditions(policy('5xx,envoy-ratelimited')), 429, limited)).toBe('envoy-ratelimited');
  });
});

describe('attempts without an answer (Envoy RetryStateImpl::wouldRetryFromReset)', () => {
  const kinds: readonly ResetKind[] = ['connect-failure', 'refused-stream', 'reset', 'per-try-timeout', 'overflow'];
  it.each([
    { on: '5xx', retried: ['connect-failure', 'refused-stream', 'reset', 'per-try-timeout'] },
    { on: 'gateway-error', retried: ['connect-failure', 'refused-stream', 'reset', 'per-try-timeout'] },
    { on: 'reset', retried: ['connect-failure', 'refused-stream', 'reset', 'per-try-timeout'] },
    { on: 'connect-failure', retried: ['connect-failure'] },
    { on: 'refused-stream', retried: ['refused-stream'] },
    { on: 'retriable-4xx,unavailable', retried: [] },
  ])('$on: $retried', ({ on, retried }) => {
    const conditions = compileConditions(policy(on));
    expect(kinds.filter((kind) => retriableReset(conditions, kind, true) !== undefined)).toEqual(retried);
  });

  it.each([
    ['internal', 13, 'grpc-status 13'],
    ['unavailable', 14, 'grpc-status 14'],
    ['cancelled', 14, undefined],
    ['internal', undefined, undefined],
  ])('%s: a gRPC call that is reset with %s counts as one that a server ended so: %s', (on, grpcStatus, word) => {
    expect(retriableReset(compileConditions(policy(on)), 'reset', true, grpcStatus)).toBe(word);
  });

  it('reset-before-request holds while nothing has left', () => {
    const conditions = compileConditions(policy('reset-before-request'));
    expect(retriableReset(conditions, 'reset', false)).toBe('reset-before-request');
    expect(retriableReset(conditions, 'reset', true)).toBeUndefined();
  });
});

it('retriable request headers: one is enough', () => {
  const match = { name: 'x-safe', invert: false, treatMissingAsEmpty: false } as const;
  const retriableRequestHeaders = [{ ...match, value: { kind: 'present', present: true } }] as const;
  const conditions = compileConditions(policy('5xx', { retriableRequestHeaders }));
  const request = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: [] as string[] } as const;
  expect(mayRetryRequest(conditions, request)).toBe(false);
  expect(mayRetryRequest(conditions, { ...request, headers: ['x-safe', ''] })).toBe(true);
});
