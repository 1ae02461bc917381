import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { PreviousPrioritiesConfigSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import type { HttpRetry } from '../../schema/spec/virtual-service.ts';
import { type RetryContext, retryPolicy } from './retry-policy.ts';

const made = (retries: HttpRetry | undefined, context: Partial<RetryContext> = {}) =>
  retryPolicy(retries, { hashed: false, retryAttempts: 'retries', client: 'sdk', ...context });
const predicates = (retries: HttpRetry | undefined, hashed: boolean) =>
  made(retries, { hashed })?.retryHostPredicate?.map(({ name }) => name);
const PREVIOUS_HOSTS = ['envoy.retry_host_predicates.previous_hosts'];

describe('retries (Istio retry.ConvertPolicy)', () => {
  it("no block is Istio's default: two retries, on no status code", () => {
    expect(made(undefined)).toMatchObject({
      numRetries: 2,
      retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
      hostSelectionRetryMaxAttempts: 5n,
    });
    expect(made(undefined)).not.toHaveProperty('retriableStatusCodes');
    expect(made(undefined)).not.toHaveProperty('perTryTimeout');
  });

  it.each<[HttpRetry, number | undefined, number | undefined]>([
    [{ attempts: 3 }, 3, 2],
    [{ attempts: 2 }, 2, 1],
    [{ attempts: 1 }, 1, undefined],
    [{ attempts: 0 }, undefined, undefined],
    [{ retryOn: '5xx' }, undefined, undefined],
  ])('%j is %s retries, or %s where attempts are calls', (retries, asRetries, asCalls) => {
    expect(made(retries)?.numRetries).toBe(asRetries);
    expect(made(retries, { retryAttempts: 'calls' })?.numRetries).toBe(asCalls);
  });

  it('the default is two retries whatever attempts mean', () => {
    expect(made(undefined, { retryAttempts: 'calls' })?.numRetries).toBe(2);
  });

  it('one call keeps its time limit; gRPC clients would refuse a policy without retries (gRFC A44)', () => {
    const one = { attempts: 1, perTryTimeout: 500 };
    const limit = { numRetries: 0, perTryTimeout: { seconds: 0n, nanos: 500_000_000 } };
    expect(made(one, { retryAttempts: 'calls' })).toEqual(limit);
    expect(made(one, { retryAttempts: 'calls', client: 'grpc' })).toBeUndefined();
  });

  it.each([
    ['5xx', '5xx', []],
    ['503', 'retriable-status-codes', [503]],
    ['gateway-error, 429,retriable-status-codes', 'gateway-error,retriable-status-codes', [429]],
  ])('retryOn "%s" is "%s" with codes %j', (retryOn, words, codes) => {
    expect(made({ attempts: 1, retryOn })).toMatchObject({ retryOn: words, retriableStatusCodes: codes });
  });

  it('previous hosts are left out, but not where the request is hashed, unless it is written', () => {
    expect(predicates(undefined, false)).toEqual(PREVIOUS_HOSTS);
    expect(predicates(undefined, true)).toEqual([]);
    expect(predicates({ attempts: 1 }, true)).toEqual([]);
    expect(predicates({ attempts: 1, retryIgnorePreviousHosts: true }, true)).toEqual(PREVIOUS_HOSTS);
    expect(predicates({ attempts: 1, retryIgnorePreviousHosts: false }, false)).toEqual([]);
  });

  it('retryRemoteLocalities is previous_priorities, every second retry', () => {
    const priority = made({ attempts: 1, retryRemoteLocalities: true })?.retryPriority;
    const any = priority?.configType?.case === 'typedConfig' ? priority.configType.value : undefined;
    const config = any?.$typeName === undefined ? undefined : anyUnpack(any, PreviousPrioritiesConfigSchema);
    expect(config?.updateFrequency).toBe(2);
    expect(made({ attempts: 1 })).not.toHaveProperty('retryPriority');
  });

  it('backoff is the base interval', () => {
    expect(made({ attempts: 1, backoff: 250 })?.retryBackOff).toEqual({
      baseInterval: { seconds: 0n, nanos: 250_000_000 },
    });
  });
});
