import { fromJson, type JsonObject, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ListenerSchema } from '../../../gen/listener.js';
import { registry } from '../../../gen/registry.js';
import { isInbound, listenerType } from './listener.ts';

const any = (type: string, rest: JsonObject = {}): JsonObject => ({
  '@type': `type.googleapis.com/envoy.extensions.${type}`,
  ...rest,
});
const NETWORK = 'filters.network';
const named = (typedConfig: JsonObject, rest: JsonObject = {}) => ({
  name: String(typedConfig['@type']),
  typedConfig,
  ...rest,
});
const router = named(any('filters.http.router.v3.Router'));
const here = {
  virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, nonForwardingAction: {} }] }],
};
const manager = (rest: JsonObject = {}) =>
  named(
    any(`${NETWORK}.http_connection_manager.v3.HttpConnectionManager`, {
      ...(!('rds' in rest) && { routeConfig: here }),
      httpFilters: [router],
      ...rest,
    }),
  );
const limit = (rest: JsonObject = { maxConnections: '7' }) =>
  named(any(`${NETWORK}.connection_limit.v3.ConnectionLimit`, { statPrefix: 'inbound', ...rest }));
const tls = (rest: JsonObject = {}, common: JsonObject = {}) =>
  named(
    any('transport_sockets.tls.v3.DownstreamTlsContext', {
      requireClientCertificate: true,
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        tlsCertificateSdsSecretConfigs: [{ name: 'default' }],
        combinedValidationContext: {
          defaultValidationContext: { matchSubjectAltNames: [{ prefix: 'spiffe://cluster.local/' }] },
          validationContextSdsSecretConfig: { name: 'ROOTCA' },
        },
        ...common,
      },
      ...rest,
    }),
  );
const address = { socketAddress: { address: '0.0.0.0', portValue: 9080 } };
const chain = (rest: JsonObject = {}): JsonObject => ({ name: 'c', filters: [manager()], ...rest });
const decode = (rest: JsonObject) => {
  const json: JsonValue = { name: 'in/0.0.0.0:9080', address, ...rest };
  return listenerType.decode(toBinary(ListenerSchema, fromJson(ListenerSchema, json, { registry })));
};
const ok = (rest: JsonObject) => {
  const decoded = decode(rest);
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  if (!isInbound(decoded.ok)) throw new Error('no inbound listener');
  return { ...decoded, ok: decoded.ok };
};
const errors = (rest: JsonObject) => {
  const decoded = decode(rest);
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};

describe('a server’s listener (gRFC A36)', () => {
  it('PERMISSIVE as Istio has it: mutual TLS of the mesh, TLS of the application, plain text', () => {
    const { ok: listener, warnings } = ok({
      metadata: { filterMetadata: { istio: { config: '/a/b' }, 'inmesh.inbound': { max_requests: 9 } } },
      filterChains: [
        {
          name: 'mtls',
          filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ['istio', 'istio-h2'] },
          transportSocket: tls(),
          filters: [
            limit(),
            manager({
              forwardClientCertDetails: 'APPEND_FORWARD',
              setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
              commonHttpProtocolOptions: {
                idleTimeout: '60s',
                maxConnectionDuration: '9s',
                maxRequestsPerConnection: 3,
              },
              http2ProtocolOptions: { maxConcurrentStreams: 20 },
              maxRequestHeadersKb: 32,
            }),
          ],
        },
        chain({ name: 'own', filterChainMatch: { transportProtocol: 'tls' } }),
        chain({ name: 'plain', filterChainMatch: { transportProtocol: 'raw_buffer' } }),
      ],
    });
    expect(warnings.filter((text) => !text.includes('stat_prefix'))).toEqual([]);
    expect(listener.chains.map(({ requests }) => requests?.routes.kind)).toEqual(['inline', 'inline', 'inline']);
    const chains = listener.chains.map(({ requests: _, ...rest }) => rest);
    expect({ ...listener, chains }).toEqual({
      name: 'in/0.0.0.0:9080',
      address: '0.0.0.0',
      port: 9080,
      configPath: '/a/b',
      limits: {
        maxConnections: 7,
        idleTimeoutMs: 60_000,
        maxConnectionDurationMs: 9_000,
        maxRequestsPerConnection: 3,
        maxRequests: 9,
      },
      chains: [
        {
          name: 'mtls',
          transport: 'tls',
          applicationProtocols: ['istio', 'istio-h2'],
          clientCertificate: { mode: 'APPEND_FORWARD', parts: new Set(['subject', 'dns', 'uri']) },
          idleTimeoutMs: 60_000,
          maxConcurrentStreams: 20,
          maxRequestHeadersKb: 32,
          tls: {
            alpn: ['h2', 'http/1.1'],
            certificate: { kind: 'identity' },
            roots: { kind: 'mesh' },
            subjectAltNames: [{ kind: 'prefix', value: 'spiffe://cluster.local/' }],
            requireClientCertificate: true,
          },
        },
        {
          name: 'own',
          transport: 'tls',
          applicationProtocols: [],
          clientCertificate: { mode: 'SANITIZE', parts: new Set() },
        },
        {
          name: 'plain',
          transport: 'raw_buffer',
          applicationProtocols: [],
          clientCertificate: { mode: 'SANITIZE', parts: new Set() },
        },
      ],
    });
  });

  it('a chain that asks for more than can be told is never chosen; the default chain asks for nothing', () => {
    const { ok: listener, warnings } = ok({
      filterChains: [
        chain({ name: 'port', filterChainMatch: { destinationPort: 80 } }),
        chain({ name: 'name', filterChainMatch: { serverNames: ['a'] } }),
      ],
      defaultFilterChain: chain({ name: 'rest', filterChainMatch: { transportProtocol: 'tls' } }),
    });
    expect(listener.chains).toMatchObject([{ name: 'rest', applicationProtocols: [], isDefault: true }]);
    expect(listener.chains[0]?.transport).toBeUndefined();
    expect(warnings.join()).toContain('the chain is never chosen');
  });

  it('addresses and source ports', () => {
    const { ok: listener } = ok({
      filterChains: [
        chain({
          filterChainMatch: {
            prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
            sourceType: 'EXTERNAL',
            sourcePrefixRanges: [{ addressPrefix: '::1', prefixLen: 128 }],
            sourcePorts: [7],
          },
        }),
      ],
    });
    expect(listener.chains[0]?.addresses).toMatchObject({
      destinations: [{ length: 8 }],
      sourceType: 'external',
      sources: [{ length: 128 }],
      sourcePorts: [7],
    });
  });

  it('TLS on raw_buffer is TLS: a gRPC server does not look what comes (gRFC A36)', () => {
    const filterChainMatch = { transportProtocol: 'raw_buffer' };
    const { ok: listener } = ok({ filterChains: [chain({ filterChainMatch, transportSocket: tls() })] });
    expect(listener.chains[0]?.transport).toBeUndefined();
    expect(listener.chains[0]?.tls).toBeDefined();
  });

  it('routes that forward are told of, unknown filters left out where they are optional', () => {
    const disabled = named(any('filters.http.rbac.v3.RBAC'), { disabled: true });
    const optional = named(any('filters.http.cors.v3.Cors'), { isOptional: true, name: 'optional' });
    const forward = {
      virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }] }],
    };
    const { warnings } = ok({
      filterChains: [
        chain({ filters: [manager({ routeConfig: forward, httpFilters: [disabled, optional, router] })] }),
      ],
    });
    expect(warnings.join()).toContain('routes[0]: ignored: a server’s own requests are not forwarded');
    expect(warnings.join()).toContain('http_filters[1]: ignored: filter');
  });

  it('routes inline or by RDS, and faults of the listener and of a route', () => {
    const abort = any('filters.http.fault.v3.HTTPFault', {
      abort: { grpcStatus: 5, percentage: { numerator: 100 } },
    });
    const own = {
      virtualHosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/a' }, nonForwardingAction: {}, typedPerFilterConfig: { fault: abort } },
            { match: { prefix: '/' }, nonForwardingAction: {} },
          ],
        },
      ],
    };
    const rds = { configSource: { ads: {} }, routeConfigName: 'r' };
    const { ok: listener } = ok({
      filterChains: [
        chain({ filters: [manager({ routeConfig: own, httpFilters: [named(abort), router] })] }),
        chain({ filterChainMatch: { transportProtocol: 'tls' }, filters: [manager({ rds })] }),
      ],
    });
    const fault = { abort: { grpcStatus: 5 } };
    expect(listener.chains[0]?.requests).toMatchObject({
      fault,
      routes: {
        routeConfiguration: {
          virtualHosts: [{ routes: [{ action: { stays: { fault } } }, { action: { stays: {} } }] }],
        },
      },
    });
    expect(listener.chains[1]?.requests?.routes).toEqual({ kind: 'rds', routeConfigurationName: 'r' });
  });

  const one = (rest: JsonObject): JsonObject => ({ filterChains: [chain(rest)] });
  it.each([
    [{}, 'filter_chains: empty'],
    [{ ...one({}), address: { pipe: { path: '/x' } } }, 'address: pipe, socket_address allowed'],
    [one({ filters: [] }), 'filters: no HttpConnectionManager'],
    [one({ filters: [manager(), limit()] }), 'filters[1]: stands behind the HttpConnectionManager'],
    [one({ filters: [limit({ maxConnections: '0' }), manager()] }), 'max_connections: 0, at least 1'],
    [
      one({
        filters: [limit({ maxConnections: '1', runtimeEnabled: { runtimeKey: 'x', defaultValue: false } }), manager()],
      }),
      'runtime_enabled: set, but not supported',
    ],
    [
      one({ filters: [named(any(`${NETWORK}.rbac.v3.RBAC`, { statPrefix: 'x' })), manager()] }),
      'filters[0]: authorization is not enforced here yet',
    ],
    [
      one({ filters: [manager({ httpFilters: [named(any('filters.http.rbac.v3.RBAC')), router] })] }),
      'http_filters[0]: authorization is not enforced here yet',
    ],
    [
      {
        filterChains: Array.from({ length: 1_001 }, (_, index) =>
          chain({ filterChainMatch: { sourcePorts: [index + 1] } }),
        ),
      },
      'filter_chains: 1001, at most 1000 allowed',
    ],
    [
      one({
        filters: [manager({ httpFilters: [named(any('filters.http.rbac.v3.RBAC'), { isOptional: true }), router] })],
      }),
      'http_filters[0]: authorization is not enforced here yet',
    ],
    [
      one({ filters: [manager({ httpFilters: [named(any('filters.http.cors.v3.Cors')), router] })] }),
      'http_filters[0]: filter envoy.extensions.filters.http.cors.v3.Cors is not known',
    ],
    [one({ filters: [manager({ httpFilters: [] })] }), 'http_filters: the router filter must stand last'],
    [one({ filters: [manager({ httpFilters: [router, router] })] }), 'stands twice'],
    [one({ filters: [manager({ xffNumTrustedHops: 1 })] }), 'xff_num_trusted_hops: set, but not supported'],
    [one({ filterChainMatch: { transportProtocol: 'quic' } }), 'transport_protocol: "quic"'],
    [one({ transportSocket: tls({ requireSni: true }) }), 'require_sni: set, but not'],
    [one({ transportSocket: tls({}, { tlsCertificateSdsSecretConfigs: [] }) }), 'no certificate, a server has one'],
    [
      one({ transportSocket: tls({}, { combinedValidationContext: null }) }),
      'require_client_certificate without roots',
    ],
    [
      one({
        transportSocket: tls(
          {},
          {
            combinedValidationContext: { defaultValidationContext: { verifyCertificateSpki: [`${'A'.repeat(43)}=`] } },
          },
        ),
      }),
      'pins (verify_certificate_spki',
    ],
    [one({ transportSocket: named(any('filters.http.router.v3.Router')) }), 'DownstreamTlsContext or'],
    [
      { filterChains: [chain({ filterChainMatch: {} }), chain()] },
      'filter_chains[1].filter_chain_match: the same as that of filter_chains[0]',
    ],
    [one({ filterChainMatch: { sourcePorts: [0] } }), 'source_ports[0]: 0, 1 to 65535'],
    [
      one({ filterChainMatch: { prefixRanges: [{ addressPrefix: 'x' }] } }),
      'prefix_ranges[0].address_prefix: "x", an IP address',
    ],
    [one({ filters: [manager({ routeConfig: null })] }), 'no routes, rds or route_config allowed'],
    [
      one({
        filters: [
          manager({
            routeConfig: {
              virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ match: { safeRegex: { regex: '(' } } }] }],
            },
          }),
        ],
      }),
      'virtual_hosts[0].routes[0].match.safe_regex',
    ],
    [{ ...one({}), additionalAddresses: [{ address }] }, 'additional_addresses: set, but not supported'],
  ])('what cannot be enforced is refused: %#', (rest: JsonObject, expected) => {
    expect(errors(rest)).toContain(expected);
  });
});
