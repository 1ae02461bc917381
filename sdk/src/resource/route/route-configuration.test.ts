import { create, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registry } from '../../../gen/registry.js';
import { RouteConfigurationSchema } from '../../../gen/route.js';
import { action, decode, errors, host, only, to, warnings } from './route-configuration.fixture.ts';
import { routeConfigurationType } from './route-configuration.ts';

describe('RouteAction', () => {
  it('timeout: 15 s unless given, 0 is none, max_grpc_timeout does not count (Envoy RouteAction.timeout)', () => {
    expect(action({})).toMatchObject({ timeoutMs: 15_000 });
    expect(action({ timeout: '0.5s' })).toMatchObject({ timeoutMs: 500 });
    expect(action({ timeout: '0s', maxGrpcTimeout: '3s' })).not.toHaveProperty('timeoutMs');
  });

  it('idle_timeout and max_stream_duration are their own limits', () => {
    expect(action({ idleTimeout: '2s', maxStreamDuration: { maxStreamDuration: '3s' } })).toMatchObject({
      idleTimeoutMs: 2_000,
      maxStreamDurationMs: 3_000,
    });
  });

  it('weighted clusters keep order, weights and their header changes', () => {
    const weighted = {
      weightedClusters: {
        clusters: [
          { name: 'a', weight: 90, requestHeadersToAdd: [{ header: { key: 'X-A', value: '1' } }] },
          { name: 'b', weight: 10, hostRewriteLiteral: 'b.test' },
          { name: 'z', weight: 0 },
        ],
        totalWeight: 5,
      },
    };
    const route: JsonValue = { match: { prefix: '/' }, route: weighted };
    expect(only(decode(host(route))).action).toMatchObject({
      clusters: [
        { name: 'a', weight: 90, requestHeaders: { set: [{ name: 'x-a', value: '1', action: 'append-or-add' }] } },
        { name: 'b', weight: 10, hostRewrite: 'b.test' },
        { name: 'z', weight: 0 },
      ],
    });
  });

  it.each([
    [[{ name: 'a', weight: 0 }], "the weights' sum is 0"],
    [[], "the weights' sum is 0"],
    [
      [
        { name: 'a', weight: 4_294_967_295 },
        { name: 'b', weight: 1 },
      ],
      "the weights' sum is 4294967296",
    ],
    [[{ name: 'a' }], 'weighted_clusters.clusters[0].weight: missing'],
    [[{ weight: 1 }], 'weighted_clusters.clusters[0].name: empty'],
  ])('refuses weights %j', (clusters, expected) => {
    const found = errors(host({ match: { prefix: '/' }, route: { weightedClusters: { clusters } } }));
    expect(found.join()).toContain(`virtual_hosts[0].routes[0].route.weighted_clusters`);
    expect(found.join()).toContain(expected);
  });

  it('retry policy: as sent, with Envoy defaults; a route policy replaces the one of its virtual host', () => {
    const istio = {
      retryOn: 'connect-failure, refused-stream,retriable-status-codes,',
      numRetries: 2,
      retryHostPredicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
      hostSelectionRetryMaxAttempts: '5',
      retriableStatusCodes: [503],
      perTryTimeout: '1s',
    };
    const expected = {
      on: ['connect-failure', 'refused-stream', 'retriable-status-codes'],
      numRetries: 2,
      retriableStatusCodes: [503],
      previousHosts: true,
      hostSelectionAttempts: 5,
      perTryTimeoutMs: 1_000,
      baseIntervalMs: 25,
      maxIntervalMs: 250,
    };
    expect(action({ retryPolicy: istio })).toMatchObject({ retry: expected });
    const inherited: JsonValue = {
      name: 'r',
      virtualHosts: [
        { name: 'v', domains: ['*'], retryPolicy: istio, routes: [to(), to({ retryPolicy: { retryOn: '5xx' } })] },
      ],
    };
    const decoded = decode(inherited);
    if ('errors' in decoded) throw new Error(decoded.errors.join());
    const [first, second] = decoded.ok.virtualHosts[0]?.routes ?? [];
    expect(first?.action).toMatchObject({ retry: expected });
    expect(second?.action).toMatchObject({ retry: { on: ['5xx'], numRetries: 1, previousHosts: false } });
  });

  it('hash policies in order; what never yields a hash here is left out with a warning', () => {
    const policies = {
      hashPolicy: [
        { header: { headerName: 'X-User' }, terminal: true },
        { cookie: { name: 'user', ttl: '0s', path: '/' } },
        { cookie: { name: 'plain' } },
        { queryParameter: { name: 'q' } },
        { connectionProperties: { sourceIp: true } },
        { filterState: { key: 'io.grpc.channel_id' } },
        { filterState: { key: 'other' } },
      ],
    };
    expect(action(policies)).toMatchObject({
      hashPolicies: [
        { kind: 'header', name: 'x-user', terminal: true },
        { kind: 'cookie', name: 'user', path: '/', ttlMs: 0 },
        { kind: 'cookie', name: 'plain', path: '' },
        { kind: 'query-parameter', name: 'q' },
        { kind: 'source-ip', terminal: false },
        { kind: 'channel', terminal: false },
      ],
    });
    expect(warnings(host(to(policies))).join()).toContain('hash_policy[6].filter_state.key: ignored');
  });

  it('mirrors: all of it unless a fraction says less; those of the route replace those above', () => {
    expect(action({ requestMirrorPolicies: [{ cluster: 'm' }] })).toMatchObject({
      mirrors: [{ cluster: 'm', fraction: { numerator: 100, denominator: 100 }, shadowSuffix: true }],
    });
    const part = {
      cluster: 'm',
      runtimeFraction: { defaultValue: { numerator: 5, denominator: 'MILLION' } },
      disableShadowHostSuffixAppend: true,
    };
    expect(action({ requestMirrorPolicies: [part] })).toMatchObject({
      mirrors: [{ fraction: { numerator: 5, denominator: 1_000_000 }, shadowSuffix: false }],
    });
  });

  it.each([
    [{ prefixRewrite: '/x' }, { prefix: '/x' }],
    [
      { regexRewrite: { pattern: { regex: '^/a/(.*)$' }, substitution: '/b/\\1' } },
      { regex: { pattern: '^/a/(.*)$', substitution: '/b/\\1' } },
    ],
  ])('path rewrite %j', (given, pathRewrite) => {
    expect(action(given)).toMatchObject({ pathRewrite });
  });

  it('faults come from the route, else its virtual host, else the route configuration; a disabled one takes them away', () => {
    const fault = (ms: string): JsonValue => ({
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
      delay: { fixedDelay: ms, percentage: { numerator: 100 } },
      abort: { httpStatus: 555, percentage: { numerator: 1, denominator: 'MILLION' } },
    });
    const disabled: JsonValue = {
      '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig',
      disabled: true,
      config: fault('1s'),
    };
    const key = 'envoy.filters.http.fault';
    const route = (config?: JsonValue): JsonValue => ({
      match: { prefix: '/' },
      route: { cluster: 'c' },
      ...(config !== undefined && { typedPerFilterConfig: { [key]: config } }),
    });
    const decoded = decode({
      name: 'r',
      typedPerFilterConfig: { [key]: fault('3s') },
      virtualHosts: [
        { name: 'a', domains: ['a'], routes: [route(), route(fault('1s')), route(disabled)] },
        { name: 'b', domains: ['b'], typedPerFilterConfig: { [key]: fault('2s') }, routes: [route()] },
      ],
    });
    if ('errors' in decoded) throw new Error(decoded.errors.join());
    const faults = decoded.ok.virtualHosts.flatMap(({ routes }) => routes.map(({ action: { ...one } }) => one));
    expect(faults).toMatchObject([
      {
        fault: { delay: { ms: 3_000 }, abort: { httpStatus: 555, fraction: { numerator: 1, denominator: 1_000_000 } } },
      },
      { fault: { delay: { ms: 1_000 } } },
      { fault: {} },
      { fault: { delay: { ms: 2_000 } } },
    ]);
    expect(faults[2]).toMatchObject({ kind: 'forward', fault: {} });
  });
});

describe('other actions', () => {
  it('redirect', () => {
    const redirect = {
      httpsRedirect: true,
      hostRedirect: 'h',
      portRedirect: 8443,
      pathRedirect: '/p',
      responseCode: 'PERMANENT_REDIRECT',
      stripQuery: true,
    };
    expect(only(decode(host({ match: { prefix: '/' }, redirect }))).action).toEqual({
      kind: 'redirect',
      code: 308,
      scheme: 'https',
      host: 'h',
      port: 8443,
      path: '/p',
      stripQuery: true,
    });
    expect(only(decode(host({ match: { prefix: '/' }, redirect: {} }))).action).toEqual({
      kind: 'redirect',
      code: 301,
      stripQuery: false,
    });
  });

  it('direct response: inline bodies up to the limit; files and variables of ours are not read', () => {
    const respond = (directResponse: JsonValue) => host({ match: { prefix: '/' }, directResponse });
    expect(only(decode(respond({ status: 418, body: { inlineString: 'tea' } }))).action).toEqual({
      kind: 'respond',
      status: 418,
      body: new TextEncoder().encode('tea'),
    });
    expect(only(decode(respond({ status: 200 }))).action).toMatchObject({ body: new Uint8Array() });
    expect(only(decode(respond({ status: 200, body: { filename: '/etc/passwd' } }))).action).toMatchObject({
      kind: 'refuse',
    });
    expect(errors(respond({ status: 200, body: { inlineString: 'x'.repeat(4_097) } })).join()).toContain(
      '4097 bytes, at most 4096 allowed',
    );
    expect(errors(respond({ status: 99 })).join()).toContain('direct_response.status: 99, 200 to 599 allowed');
  });

  it.each([
    [{ nonForwardingAction: {} }, 'non_forwarding_action'],
    [{ filterAction: {} }, 'filterAction'],
    [{}, 'no action'],
    [{ route: { clusterSpecifierPlugin: 'x' } }, 'cluster specifier plugins'],
  ])('an action this client cannot perform refuses its own calls only: %j', (given, reason) => {
    const decoded = decode(host({ match: { prefix: '/a' }, ...given }, to()));
    if ('errors' in decoded) throw new Error(decoded.errors.join());
    const [refused, works] = decoded.ok.virtualHosts[0]?.routes ?? [];
    expect(refused?.action).toMatchObject({ kind: 'refuse', reason: expect.stringContaining(reason) });
    expect(works?.action.kind).toBe('forward');
  });
});

describe('headers to add and remove', () => {
  it('order, actions, the older append, and formatters as written', () => {
    const decoded = decode({
      name: 'r',
      requestHeadersToAdd: [
        { header: { key: 'A', value: '%REQ(:path)%' } },
        { header: { key: 'b', value: '1' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
        { header: { key: 'c', value: '1' }, append: false },
        { header: { key: 'd' }, appendAction: 'ADD_IF_ABSENT', keepEmptyValue: true },
      ],
      responseHeadersToRemove: ['Server'],
    });
    expect('ok' in decoded && decoded.ok).toMatchObject({
      requestHeaders: {
        set: [
          { name: 'a', value: '%REQ(:path)%', action: 'append-or-add', keepEmpty: false },
          { name: 'b', action: 'overwrite-or-add' },
          { name: 'c', action: 'overwrite-or-add' },
          { name: 'd', action: 'add-if-absent', keepEmpty: true },
        ],
      },
      responseHeaders: { set: [], remove: ['server'] },
    });
  });

  it.each([
    [
      { requestHeadersToAdd: [{ header: { key: 'Host', value: 'x' } }] },
      'request_headers_to_add[0].header.key: "Host"',
    ],
    [{ requestHeadersToRemove: [':path'] }, 'request_headers_to_remove[0]: ":path"'],
    [{ responseHeadersToAdd: [{ header: { key: 'a b', value: 'x' } }] }, '"a b" is no header name'],
    [{ responseHeadersToAdd: [{ header: { key: 'a', value: 'x\r\nevil: 1' } }] }, 'header.value: holds NUL, CR or LF'],
  ])('refuses %j', (given, expected) => {
    expect(errors({ name: 'r', ...given }).join()).toContain(expected);
  });
});

describe('virtual hosts', () => {
  it.each([
    [['*', 'a.test', '*.b.test', 'c.*', '*-x.test', '[::1]:80'], 0],
    [['*x*'], 1],
    [['a*b'], 1],
    [['**'], 1],
    [[''], 1],
    [['A.test', 'a.TEST'], 1],
    [[], 1],
  ])('domains %j: %i mistakes', (domains, count) => {
    expect(errors({ name: 'r', virtualHosts: [{ name: 'v', domains }] })).toHaveLength(count);
  });

  it('a domain may not stand in two virtual hosts', () => {
    const found = errors({
      name: 'r',
      virtualHosts: [
        { name: 'v', domains: ['a'] },
        { name: 'w', domains: ['A'] },
      ],
    });
    expect(found).toEqual(['virtual_hosts[1].domains: "a" stands twice, each domain once allowed']);
  });

  it('one bad route refuses the configuration, and every mistake is named', () => {
    const decoded = decode(
      host(to(), { match: { safeRegex: { regex: '(' } }, route: {} }, { route: { cluster: 'c' } }),
    );
    expect('errors' in decoded && decoded).toMatchObject({
      name: 'r',
      errors: [
        expect.stringContaining('routes[1].match.safe_regex.regex'),
        expect.stringContaining('routes[1].route: no cluster'),
        expect.stringContaining('routes[2].match: missing'),
      ],
    });
  });
});

it('takes what istiod sends, with the origin of each route', () => {
  const decoded = decode(
    host({
      name: 'default',
      match: { prefix: '/', caseSensitive: true },
      route: { cluster: 'outbound|80||a', timeout: '0s', maxGrpcTimeout: '0s', retryPolicy: { retryOn: '5xx' } },
      metadata: {
        filterMetadata: { istio: { config: '/apis/networking.istio.io/v1/namespaces/d/virtual-service/a' } },
      },
      decorator: { operation: 'a:80/*' },
    }),
  );
  expect(only(decoded)).toMatchObject({
    name: 'default',
    configPath: '/apis/networking.istio.io/v1/namespaces/d/virtual-service/a',
  });
  expect('ok' in decoded && decoded.warnings.map((text) => text.split(':')[0]).sort()).toEqual([
    'virtual_hosts[0].routes[0].decorator',
    'virtual_hosts[0].routes[0].route.max_grpc_timeout',
  ]);
});

it('warns about a field it has never heard of', () => {
  const bytes = toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name: 'r' }));
  // Field 999, a varint.
  const decoded = routeConfigurationType.decode(Buffer.concat([bytes, Buffer.from([0xb8, 0x3e, 1])]));
  expect('ok' in decoded && decoded.warnings).toEqual(['ignored: field 999, which this client does not know']);
});

it('survives any bytes: an error, never an exception', () => {
  const seed = toBinary(
    RouteConfigurationSchema,
    fromJson(RouteConfigurationSchema, host(to({ timeout: '1s', hashPolicy: [{ header: { headerName: 'x' } }] })), {
      registry,
    }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(seed.length),
      (flips, length) => {
        const bytes = new Uint8Array(seed.subarray(0, length || seed.length));
        for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
        const decoded = routeConfigurationType.decode(bytes);
        expect('ok' in decoded || decoded.errors.length > 0).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
