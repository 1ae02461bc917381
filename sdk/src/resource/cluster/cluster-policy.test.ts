import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ClusterSchema } from '../../../gen/cluster.js';
import { registry } from '../../../gen/registry.js';
import { clusterType } from './cluster.ts';

type Fields = Record<string, JsonValue>;
const decode = (json: Fields) => {
  const eds = { name: 'c', type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } } };
  const decoded = clusterType.decode(
    toBinary(ClusterSchema, fromJson(ClusterSchema, { ...eds, ...json }, { registry })),
  );
  return 'ok' in decoded ? { ok: decoded.ok, warnings: decoded.warnings } : decoded;
};
const errors = (json: Fields) => {
  const decoded = decode(json);
  return 'errors' in decoded ? decoded.errors : [];
};

const asked = { timeout: '1s', interval: '5s', unhealthyThreshold: 3, healthyThreshold: 2 };
const check = (more: Fields) => ({ healthChecks: [{ ...asked, tcpHealthCheck: {}, ...more }] });
const http = (more: Fields) => ({ healthChecks: [{ ...asked, httpHealthCheck: { path: '/live', ...more } }] });

describe('health checks', () => {
  it('fall back from interval to interval as Envoy documents it', () => {
    expect(decode(check({ noTrafficInterval: '9s', unhealthyInterval: '3s', altPort: 81 }))).toMatchObject({
      ok: {
        healthChecks: [
          {
            check: { kind: 'tcp', receive: [] },
            timeoutMs: 1_000,
            intervalMs: 5_000,
            noTrafficIntervalMs: 9_000,
            noTrafficHealthyIntervalMs: 9_000,
            unhealthyIntervalMs: 3_000,
            unhealthyEdgeIntervalMs: 3_000,
            healthyEdgeIntervalMs: 5_000,
            initialJitterMs: 0,
            unhealthyThreshold: 3,
            healthyThreshold: 2,
            port: 81,
            reuseConnection: true,
          },
        ],
      },
    });
    expect(decode(check({}))).toMatchObject({ ok: { healthChecks: [{ noTrafficIntervalMs: 60_000 }] } });
  });

  it.each<[string, Fields, object]>([
    [
      'HTTP: GET, 200, the first 1,024 bytes',
      http({}),
      { kind: 'http', method: 'GET', path: '/live', expected: [{ start: 200, end: 201 }], receiveBytes: 1_024 },
    ],
    [
      'HTTP, whole',
      http({
        method: 'POST',
        send: { text: '6f6b' },
        receive: [{ text: '6F6B' }],
        responseBufferSize: '0',
        host: 'h',
        codecClientType: 'HTTP2',
        expectedStatuses: [{ start: '200', end: '300' }],
        retriableStatuses: [{ start: '500', end: '600' }],
        requestHeadersToAdd: [{ header: { key: 'X', value: '1' } }],
      }),
      {
        method: 'POST',
        body: new Uint8Array([0x6f, 0x6b]),
        receive: [new Uint8Array([0x6f, 0x6b])],
        receiveBytes: 0,
        host: 'h',
        http2: true,
        expected: [{ start: 200, end: 300 }],
        retriable: [{ start: 500, end: 600 }],
        requestHeaders: { set: [{ name: 'x', value: '1' }] },
      },
    ],
    [
      'TCP that says something',
      check({ tcpHealthCheck: { send: { binary: 'AQ==' } } }),
      { kind: 'tcp', send: new Uint8Array([1]) },
    ],
    [
      'gRPC',
      { healthChecks: [{ ...asked, grpcHealthCheck: { serviceName: 's', authority: 'a' } }] },
      { kind: 'grpc', service: 's', authority: 'a', initialMetadata: { set: [] } },
    ],
  ])('%s', (_, json, expected) => {
    expect(decode(json)).toMatchObject({ ok: { healthChecks: [{ check: expected }] } });
  });

  it.each<[Fields, string]>([
    [{ healthChecks: [{ tcpHealthCheck: {} }] }, 'health_checks[0].unhealthy_threshold: missing'],
    [check({ timeout: '0s' }), 'health_checks[0].timeout: 0 s, more than 0 allowed'],
    [check({ interval: '-1s' }), 'health_checks[0].interval: -1 s'],
    [check({ altPort: 65_536 }), 'health_checks[0].alt_port: 65536'],
    [check({ tcpHealthCheck: { send: { text: 'xyz' } } }), 'health_checks[0].tcp_health_check.send.text: "xyz"'],
    [http({ path: '' }), 'health_checks[0].http_health_check.path: empty'],
    [http({ method: 'CONNECT' }), 'http_health_check.method: CONNECT'],
    [http({ codecClientType: 'HTTP3' }), 'codec_client_type: HTTP3'],
    [http({ expectedStatuses: [{ start: '99', end: '100' }] }), 'expected_statuses[0]: 99 to 100'],
    [{ healthChecks: [{ ...asked, customHealthCheck: { name: 'redis' } }] }, 'custom_health_check: set'],
    [{ healthChecks: [asked] }, 'health_checks[0]: no check'],
  ])('%j is refused', (json, expected) => {
    expect(errors(json).join('\n')).toContain(expected);
  });
});

const protocol = (options: Fields) => ({
  typedExtensionProtocolOptions: {
    http: {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      ...options,
    },
  },
});
const http2 = (http2ProtocolOptions: Fields) => protocol({ explicitHttpConfig: { http2ProtocolOptions } });

describe('HTTP protocol options', () => {
  it('times and requests of a connection', () => {
    const commonHttpProtocolOptions = {
      idleTimeout: '1s',
      maxConnectionDuration: '2s',
      maxStreamDuration: '3s',
      maxRequestsPerConnection: 4,
    };
    expect(decode(protocol({ commonHttpProtocolOptions, explicitHttpConfig: {} }))).toMatchObject({
      ok: {
        http2: false,
        idleTimeoutMs: 1_000,
        maxConnectionDurationMs: 2_000,
        maxStreamDurationMs: 3_000,
        maxRequestsPerConnection: 4,
      },
    });
  });

  it('HTTP/2, with what it asks for', () => {
    const keepalive = { interval: '30s', timeout: '5s', connectionIdleInterval: '1s' };
    const asks = { maxConcurrentStreams: 7, initialStreamWindowSize: 65_535, connectionKeepalive: keepalive };
    expect(decode(http2(asks))).toMatchObject({
      ok: {
        http2: true,
        http2Options: {
          maxConcurrentStreams: 7,
          initialStreamWindowSize: 65_535,
          keepAlive: { intervalMs: 30_000, timeoutMs: 5_000, jitterPercent: 15, idleIntervalMs: 1_000 },
        },
      },
    });
    expect(decode(http2({}))).toMatchObject({ ok: { http2: true } });
  });

  it.each<[Fields, string]>([
    [http2({ maxConcurrentStreams: 0 }), 'max_concurrent_streams: 0'],
    [http2({ initialStreamWindowSize: 65_534 }), 'initial_stream_window_size: 65534'],
    [http2({ initialConnectionWindowSize: 2_147_483_648 }), 'initial_connection_window_size: 2147483648'],
    [http2({ connectionKeepalive: { interval: '1s' } }), 'connection_keepalive.timeout: missing'],
    [http2({ connectionKeepalive: { timeout: '0.0005s' } }), 'connection_keepalive.timeout: 0.5 ms'],
  ])('%j is refused', (json, expected) => {
    expect(errors(json).join('\n')).toContain(expected);
  });
});

describe('connections', () => {
  it('TCP keepalive, in seconds; an empty one switches it on', () => {
    const tcpKeepalive = { keepaliveProbes: 3, keepaliveTime: 10, keepaliveInterval: 2 };
    expect(decode({ upstreamConnectionOptions: { tcpKeepalive } })).toMatchObject({
      ok: { tcpKeepAlive: { probes: 3, timeMs: 10_000, intervalMs: 2_000 } },
      warnings: [expect.stringContaining('keepalive_probes: ignored'), expect.stringContaining('keepalive_interval')],
    });
    expect(decode({ upstreamConnectionOptions: { tcpKeepalive: {} } })).toMatchObject({ ok: { tcpKeepAlive: {} } });
  });

  it('to one host: per_host_thresholds', () => {
    expect(decode({ circuitBreakers: { perHostThresholds: [{ maxConnections: 2 }] } })).toMatchObject({
      ok: { circuitBreakers: { default: { maxConnectionsPerHost: 2 } } },
    });
  });
});

describe('DNS options', () => {
  const endpoint = { address: { socketAddress: { address: 'db.example', portValue: 1 } } };
  const loadAssignment = { clusterName: 'c', endpoints: [{ lbEndpoints: [{ endpoint }] }] };
  const dns = (more: Fields = {}) => ({ type: 'STRICT_DNS', edsClusterConfig: null, loadAssignment, ...more });

  it('every 5 s, both families, without jitter, unless it says otherwise', () => {
    expect(decode(dns())).toMatchObject({
      ok: {
        discovery: { kind: 'dns', options: { refreshRateMs: 5_000, respectTtl: false, jitterMs: 0, family: 'auto' } },
      },
    });
  });

  it('whole; a failed look-up comes again after the base, ten times that at most', () => {
    const more = {
      dnsRefreshRate: '60s',
      dnsFailureRefreshRate: { baseInterval: '2s' },
      respectDnsTtl: true,
      dnsLookupFamily: 'V4_PREFERRED',
      dnsJitter: '0.1s',
    };
    expect(decode(dns({ ...more, type: 'LOGICAL_DNS' }))).toMatchObject({
      ok: {
        discovery: {
          logical: true,
          options: {
            refreshRateMs: 60_000,
            failureRefresh: { baseMs: 2_000, maxMs: 20_000 },
            respectTtl: true,
            jitterMs: 100,
            family: 'v4-preferred',
          },
        },
      },
      warnings: [],
    });
  });

  it.each<[Fields, string]>([
    [{ dnsRefreshRate: '0.001s' }, 'dns_refresh_rate: 1 ms, more than 1 ms allowed'],
    [{ dnsFailureRefreshRate: {} }, 'dns_failure_refresh_rate.base_interval: missing'],
    [
      { dnsFailureRefreshRate: { baseInterval: '2s', maxInterval: '1s' } },
      'dns_failure_refresh_rate.max_interval: 1000 ms',
    ],
    [{ dnsLookupFamily: 9 }, 'dns_lookup_family: 9'],
    [{ dnsJitter: '-1s' }, 'dns_jitter: -1 s'],
  ])('%j is refused', (json, expected) => {
    expect(errors(dns(json)).join('\n')).toContain(expected);
  });
});
