import type { JsonValue } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { action, decode, errors, host, only, to } from './route-configuration.fixture.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const previousPriorities = (updateFrequency: number): JsonValue => ({
  name: 'envoy.retry_priorities.previous_priorities',
  typedConfig: {
    '@type': `${TYPE}.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig`,
    updateFrequency,
  },
});
const fault = (more: Record<string, JsonValue>): JsonValue => ({
  fault: { '@type': `${TYPE}.filters.http.fault.v3.HTTPFault`, ...more },
});
const session = (more: Record<string, JsonValue>): JsonValue => ({
  session: { '@type': `${TYPE}.filters.http.stateful_session.v3.StatefulSessionPerRoute`, ...more },
});
const state = (kind: 'cookie' | 'header', more: Record<string, JsonValue>): JsonValue => ({
  name: kind,
  typedConfig: {
    '@type': `${TYPE}.http.stateful_session.${kind}.v3.${kind === 'cookie' ? 'Cookie' : 'Header'}BasedSessionState`,
    ...more,
  },
});
const filtered = (typedPerFilterConfig: JsonValue): JsonValue => host({ ...Object(to()), typedPerFilterConfig });
const filteredAction = (config: JsonValue) => only(decode(filtered(config))).action;
const header = (name: string) => ({ name, value: { kind: 'present', present: true } });

describe('RetryPolicy, whole', () => {
  it.each<[string, JsonValue, object]>([
    ['retriable headers', { retriableHeaders: [{ name: 'X-Again' }] }, { retriableHeaders: [header('x-again')] }],
    [
      'retriable request headers',
      { retriableRequestHeaders: [{ name: 'X-Safe' }] },
      { retriableRequestHeaders: [header('x-safe')] },
    ],
    ['per_try_idle_timeout', { perTryIdleTimeout: '0.250s' }, { perTryIdleTimeoutMs: 250 }],
    ['refresh_cluster_on_retry', { refreshClusterOnRetry: true }, { repickCluster: true }],
    [
      'rate_limited_retry_back_off, at most 300 s unless given',
      { rateLimitedRetryBackOff: { resetHeaders: [{ name: 'Retry-After' }, { name: 'x', format: 'UNIX_TIMESTAMP' }] } },
      {
        rateLimitedBackOff: {
          headers: [
            { name: 'retry-after', format: 'seconds' },
            { name: 'x', format: 'unix-timestamp' },
          ],
          maxIntervalMs: 300_000,
        },
      },
    ],
    ['previous_priorities', { retryPriority: previousPriorities(2) }, { previousPriorities: { updateFrequency: 2 } }],
  ])('%s', (_, retryPolicy, expected) => {
    expect(action({ retryPolicy })).toMatchObject({ retry: expected });
  });

  it.each<[JsonValue, string]>([
    [{ perTryIdleTimeout: '-1s' }, 'retry_policy.per_try_idle_timeout: -1 s 0 ns'],
    [{ retryBackOff: { maxInterval: '1s' } }, 'retry_policy.retry_back_off.base_interval: missing'],
    [{ rateLimitedRetryBackOff: {} }, 'retry_policy.rate_limited_retry_back_off.reset_headers: empty'],
    [
      { rateLimitedRetryBackOff: { resetHeaders: [{ name: '' }], maxInterval: '0s' } },
      'retry_policy.rate_limited_retry_back_off.max_interval: 0 s',
    ],
    [
      { retryPriority: previousPriorities(0) },
      'retry_policy.retry_priority.typed_config.update_frequency: more than 0',
    ],
    [{ retryPriority: { name: 'mine' } }, 'retry_policy.retry_priority: "mine" without typed_config is not known'],
  ])('%j is refused', (retryPolicy, expected) => {
    expect(errors(host(to({ retryPolicy }))).join('\n')).toContain(`virtual_hosts[0].routes[0].route.${expected}`);
  });
});

describe('what a route takes from its virtual host', () => {
  const under = (virtualHost: Record<string, JsonValue>, route: JsonValue = to()) =>
    only(decode({ name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [route], ...virtualHost }] })).action;
  const hedge = { hedgePolicy: { hedgeOnPerTryTimeout: true } };

  it('its hedge policy, replaced whole by the route', () => {
    expect(under(hedge)).toMatchObject({ hedge: { onPerTryTimeout: true } });
    expect(under(hedge, to({ hedgePolicy: {} }))).toMatchObject({ hedge: { onPerTryTimeout: false } });
  });

  it('its body buffer: request_body_buffer_limit wins over the older field, the route over the host', () => {
    const limits = { perRequestBufferLimitBytes: 1, requestBodyBufferLimit: '2' };
    expect(under({ perRequestBufferLimitBytes: 1 })).toMatchObject({ bodyBufferBytes: 1 });
    expect(under(limits)).toMatchObject({ bodyBufferBytes: 2 });
    expect(under(limits, { ...Object(to()), perRequestBufferLimitBytes: 0 })).toMatchObject({ bodyBufferBytes: 0 });
  });

  it('its filters, each replaced whole', () => {
    const typedPerFilterConfig = fault({ maxActiveFaults: 1, delay: { fixedDelay: '1s' } });
    const route = { ...Object(to()), typedPerFilterConfig: fault({ abort: { httpStatus: 500 } }) };
    expect(under({ typedPerFilterConfig }, route)).toMatchObject({
      fault: { abort: { httpStatus: 500, fraction: { numerator: 0, denominator: 100 } } },
    });
    expect(Object(under({ typedPerFilterConfig }, route)).fault).not.toHaveProperty('delay');
  });
});

describe('HTTPFault, whole', () => {
  const half = { numerator: 50 };
  const fraction = { numerator: 50, denominator: 100 };
  it.each<[string, Record<string, JsonValue>, object]>([
    [
      'chosen by headers of the request',
      { delay: { headerDelay: {}, percentage: half }, abort: { headerAbort: {}, percentage: half } },
      { delay: { ms: 0, fraction, fromHeader: true }, abort: { fraction, fromHeader: true } },
    ],
    ['for requests with headers', { headers: [{ name: 'X' }] }, { headers: [header('x')] }],
    [
      'for requests of nodes',
      { downstreamNodes: ['a.b', 'c'] },
      { headers: [{ name: 'x-envoy-downstream-service-node', value: { match: { value: 'a\\.b|c' } } }] },
    ],
    ['for one cluster', { upstreamCluster: 'c' }, { upstreamCluster: 'c' }],
    ['bounded', { maxActiveFaults: 0 }, { maxActive: 0 }],
  ])('%s', (_, config, expected) => {
    expect(filteredAction(fault(config))).toMatchObject({ fault: expected });
  });

  it.each<[Record<string, JsonValue>, string]>([
    [{ delay: { fixedDelay: '0s' } }, 'delay.fixed_delay: 0 s'],
    [{ delay: {} }, 'delay: neither'],
    [{ abort: {} }, 'abort: none'],
    [{ abort: { httpStatus: 99 } }, 'abort.http_status: 99'],
  ])('%j is refused', (config, expected) => {
    expect(errors(filtered(fault(config)))).toEqual([expect.stringContaining(expected)]);
  });
});

describe('mirrors', () => {
  it('to the cluster a header names, with a host of their own', () => {
    const policy = { clusterHeader: 'X-Copy', hostRewriteLiteral: 'copy', disableShadowHostSuffixAppend: true };
    expect(action({ requestMirrorPolicies: [policy] })).toMatchObject({
      mirrors: [{ cluster: '', clusterHeader: 'x-copy', hostRewrite: 'copy', shadowSuffix: false }],
    });
  });

  it.each<[JsonValue, string]>([
    [{}, 'request_mirror_policies[0].cluster: empty'],
    [{ cluster: 'a', clusterHeader: 'b' }, 'request_mirror_policies[0]: both'],
  ])('%j is refused', (policy, expected) => {
    expect(errors(host(to({ requestMirrorPolicies: [policy] })))).toEqual([expect.stringContaining(expected)]);
  });
});

describe('stateful sessions', () => {
  const of = (sessionState: JsonValue, strict = false) => session({ statefulSession: { sessionState, strict } });
  it.each<[string, JsonValue, object]>([
    [
      'by cookie',
      of(state('cookie', { cookie: { name: 's', path: '/p', ttl: '60s' } }), true),
      { kind: 'cookie', name: 's', path: '/p', ttlMs: 60_000, strict: true },
    ],
    ['by header', of(state('header', { name: 'X-Host' })), { kind: 'header', name: 'x-host', strict: false }],
    ['without state: none', session({ statefulSession: {} }), { kind: 'none', strict: false }],
    ['switched off', session({ disabled: true }), { kind: 'none', strict: false }],
  ])('%s', (_, config, expected) => {
    expect(filteredAction(config)).toMatchObject({ statefulSession: expected });
  });

  it.each<[JsonValue, string]>([
    [session({}), 'neither'],
    [of(state('cookie', {})), 'cookie: missing'],
    [of(state('cookie', { cookie: { name: '' } })), 'cookie.name: empty'],
    [of(state('header', {})), 'name: empty'],
    [of({ name: 'x', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } }), 'Router is not known'],
  ])('%j is refused', (config, expected) => {
    expect(errors(filtered(config)).join('\n')).toContain(expected);
  });
});

describe('max_stream_duration', () => {
  it('with what it says of grpc-timeout', () => {
    const maxStreamDuration = { grpcTimeoutHeaderMax: '0s', grpcTimeoutHeaderOffset: '0.1s' };
    expect(action({ maxStreamDuration })).toMatchObject({ grpcTimeoutMaxMs: 0, grpcTimeoutOffsetMs: 100 });
  });
});
