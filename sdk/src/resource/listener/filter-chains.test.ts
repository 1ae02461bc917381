import { fromJson, type JsonObject, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ListenerSchema } from '../../../gen/listener.js';
import { registry } from '../../../gen/registry.js';
import type { Listener } from '../../model/route.ts';
import type { Decoded } from '../resource-type.ts';
import { listenerType } from './listener.ts';

const NETWORK = 'type.googleapis.com/envoy.extensions.filters.network';
const manager = {
  '@type': `${NETWORK}.http_connection_manager.v3.HttpConnectionManager`,
  rds: { routeConfigName: 'r', configSource: { ads: {} } },
  httpFilters: [
    { name: 'router', typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } },
  ],
};
const filter = (typedConfig: JsonObject) => ({ name: 'f', typedConfig });
const tcp = (rest: JsonObject = { cluster: 'c' }) => filter({ '@type': `${NETWORK}.tcp_proxy.v3.TcpProxy`, ...rest });
const chain = (match: JsonObject | undefined, ...filters: JsonObject[]): JsonObject => ({
  ...(match && { filterChainMatch: match }),
  filters: filters.length > 0 ? filters : [tcp()],
});
const decode = (listener: JsonObject) => {
  const json: JsonValue = { name: 'a:1', apiListener: { apiListener: manager }, ...listener };
  return listenerType.decode(
    toBinary(ListenerSchema, fromJson(ListenerSchema, json, { registry })),
  ) as Decoded<Listener>;
};
const chains = (...filterChains: JsonObject[]) => {
  const decoded = decode({ filterChains });
  if ('errors' in decoded) throw new Error(decoded.errors.join());
  return decoded;
};
const errors = (...filterChains: JsonObject[]): string => {
  const decoded = decode({ filterChains });
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};

describe('filter chains', () => {
  it('are a table of connections beside the routes', () => {
    const match = {
      serverNames: ['A.test', '*.b.test'],
      prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
      destinationPort: 443,
    };
    const weighted = {
      weightedClusters: {
        clusters: [
          { name: 'a', weight: 9 },
          { name: 'b', weight: 1 },
        ],
      },
      idleTimeout: '5s',
      maxDownstreamConnectionDuration: '60s',
      maxConnectAttempts: 3,
      hashPolicy: [{ sourceIp: {} }],
    };
    const config = '/apis/networking.istio.io/v1/namespaces/d/virtual-service/a';
    const decoded = chains({ ...chain(match, tcp(weighted)), metadata: { filterMetadata: { istio: { config } } } });
    expect(decoded.warnings).toEqual([]);
    expect(decoded.ok.connections).toEqual({
      chains: [
        {
          serverNames: ['a.test', '*.b.test'],
          destinations: [{ bytes: [10, 0, 0, 0], length: 8 }],
          port: 443,
          clusters: [
            { cluster: 'a', weight: 9 },
            { cluster: 'b', weight: 1 },
          ],
          idleTimeoutMs: 5_000,
          maxDurationMs: 60_000,
          connectAttempts: 3,
          hashSourceIp: true,
          configPath: config,
        },
      ],
    });
  });

  it('say little where little is said; the default chain is the fallback; a listener without any has no table', () => {
    const simple = {
      serverNames: [],
      destinations: [],
      clusters: [{ cluster: 'c', weight: 1 }],
      idleTimeoutMs: 3_600_000,
      connectAttempts: 1,
      hashSourceIp: false,
    };
    expect(decode({ defaultFilterChain: chain(undefined) })).toMatchObject({
      ok: { connections: { chains: [], fallback: simple } },
    });
    expect(chains(chain(undefined)).ok.connections).toEqual({ chains: [simple] });
    expect(chains().ok.connections).toBeUndefined();
  });

  it('a chain that asks for what cannot be told is never chosen, and warned about (gRFC A36)', () => {
    for (const match of [
      { transportProtocol: 'tls' },
      { applicationProtocols: ['h2'] },
      { sourceType: 'EXTERNAL' },
      { sourcePorts: [1] },
    ]) {
      const decoded = chains(chain(match), chain({ serverNames: ['a.test'] }));
      expect(decoded.ok.connections?.chains).toHaveLength(1);
      expect(decoded.warnings.join('\n')).toContain('filter_chains[0].filter_chain_match: the chain is never chosen');
    }
  });

  it('a chain for HTTP requests is not one of connections', () => {
    const decoded = chains(chain(undefined, filter(manager)));
    expect(decoded.ok.connections).toBeUndefined();
    expect(decoded.warnings).toEqual([expect.stringContaining('the routes of HTTP requests come by api_listener')]);
  });

  const rbac = filter({ '@type': `${NETWORK}.rbac.v3.RBAC` });
  it.each([
    [chain(undefined, rbac, tcp()), `filters[0]: filter envoy.extensions.filters.network.rbac.v3.RBAC is not known`],
    [chain(undefined, { name: 'x' }), 'filters[0]: a filter without typed_config is not known'],
    [{ filters: [] }, 'filters: 0 filters, exactly one'],
    [chain(undefined, tcp(), tcp()), 'filters: 2 filters, exactly one'],
    [chain(undefined, tcp({})), 'no cluster, cluster or weighted_clusters allowed'],
    [chain(undefined, tcp({ cluster: 'c', tunnelingConfig: { hostname: 'h' } })), 'tunneling_config: set, but not'],
    [
      chain(undefined, tcp({ weightedClusters: { clusters: [] } })),
      "weighted_clusters.clusters: the weights' sum is 0",
    ],
    [chain(undefined, tcp({ weightedClusters: { clusters: [{ name: 'a' }] } })), 'clusters[0].weight: 0, 1 to'],
    [chain({ serverNames: ['a*.test'] }), 'server_names[0]: "a*.test", a host name or "*.suffix" allowed'],
    [chain({ serverNames: ['*'] }), 'server_names[0]: "*"'],
    [chain({ prefixRanges: [{ addressPrefix: 'x' }] }), 'prefix_ranges[0].address_prefix: "x"'],
    [chain({ prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 33 }] }), 'prefix_ranges[0].prefix_len: 33'],
    [chain({ destinationPort: 70_000 }), 'destination_port: 70000'],
    [
      { ...chain(undefined), transportSocket: { name: 'tls' } },
      'transport_socket: set, but not supported: TLS of a connection that is made here stays end to end',
    ],
  ])('refuses %#, saying where', (bad, expected) => {
    expect(errors(bad)).toContain('filter_chains[0].');
    expect(errors(bad)).toContain(expected);
  });

  it('two chains for the same connections refuse the listener, as in Envoy', () => {
    const range = (addressPrefix: string) => ({ prefixRanges: [{ addressPrefix, prefixLen: 8 }] });
    expect(errors(chain(range('10.0.0.0')), chain(range('10.9.9.9')))).toContain(
      'filter_chains[1].filter_chain_match: takes connections that filter_chains[0] takes already',
    );
    expect(errors(chain({ serverNames: ['a.test', 'b.test'] }), chain({ serverNames: ['B.test'] }))).not.toBe('');
    expect(errors(chain({ serverNames: ['a.test'] }), chain({ serverNames: ['*.test'] }), chain(undefined))).toBe('');
  });
});
