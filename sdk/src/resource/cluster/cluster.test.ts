import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ClusterSchema } from '../../../gen/cluster.js';
import { registry } from '../../../gen/registry.js';
import { clusterType } from './cluster.ts';

const eds = { type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } } };
/** What is null is left out. */
const decode = (json: Record<string, JsonValue>) => {
  const set = Object.entries({ name: 'c', ...eds, ...json }).filter(([, value]) => value !== null);
  return clusterType.decode(toBinary(ClusterSchema, fromJson(ClusterSchema, Object.fromEntries(set), { registry })));
};
const ok = (json: Record<string, JsonValue>) => {
  const decoded = decode(json);
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  return decoded.ok;
};
const errors = (json: Record<string, JsonValue>) => {
  const decoded = decode(json);
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};
const at = (name: string, extra: Record<string, JsonValue> = {}): JsonValue => ({
  '@type': `type.googleapis.com/${name}`,
  ...extra,
});
const policy = (name: string, extra: Record<string, JsonValue> = {}): JsonValue => ({
  typedExtensionConfig: { name, typedConfig: at(`envoy.extensions.load_balancing_policies.${name}`, extra) },
});
const policies = (...list: JsonValue[]) => ({ loadBalancingPolicy: { policies: list } });
const noEds = { type: null, edsClusterConfig: null };
const aggregateType = (config: Record<string, JsonValue>): JsonValue => ({
  name: 'envoy.clusters.aggregate',
  typedConfig: at('envoy.extensions.clusters.aggregate.v3.ClusterConfig', config),
});
const assignment = (...ports: number[]): JsonValue => ({
  clusterName: 'c',
  endpoints: [
    {
      lbEndpoints: ports.map((portValue) => ({
        endpoint: { address: { socketAddress: { address: 'db.example', portValue } } },
      })),
    },
  ],
});

describe('cluster', () => {
  it("has Envoy's defaults where nothing is said", () => {
    expect(ok({})).toEqual({
      name: 'c',
      discovery: { kind: 'eds', serviceName: 'c' },
      connectTimeoutMs: 10_000,
      loadBalancer: { kind: 'round-robin' },
      localityWeighted: false,
      panicThreshold: 50,
      circuitBreakers: {
        default: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
        high: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
      },
      http2: false,
    });
  });

  it('takes what istiod sends: no limits, panic off, the origin, HTTP/2', () => {
    const limit = 4_294_967_295;
    const cluster = ok({
      altStatName: 'x;',
      connectTimeout: '3s',
      lbPolicy: 'LEAST_REQUEST',
      commonLbConfig: { healthyPanicThreshold: {}, localityWeightedLbConfig: {} },
      circuitBreakers: {
        thresholds: [{ maxConnections: limit, maxPendingRequests: 7, maxRequests: limit, maxRetries: limit }],
      },
      outlierDetection: { consecutive5xx: 7, enforcingConsecutive5xx: 100, enforcingSuccessRate: 0, interval: '1s' },
      metadata: { filterMetadata: { istio: { services: [{ host: 'a.d.svc.cluster.local' }], config: '/dr' } } },
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': at(
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          {
            explicitHttpConfig: { http2ProtocolOptions: {} },
            commonHttpProtocolOptions: {
              idleTimeout: '60s',
              maxConnectionDuration: '600s',
              maxRequestsPerConnection: 100,
            },
          },
        ),
      },
    });
    expect(cluster).toMatchObject({
      connectTimeoutMs: 3_000,
      loadBalancer: { kind: 'least-request', choiceCount: 2 },
      localityWeighted: true,
      panicThreshold: 0,
      outlierDetection: {
        consecutive5xx: 7,
        enforcingConsecutive5xx: 100,
        intervalMs: 1_000,
        baseEjectionTimeMs: 30_000,
        maxEjectionPercent: 10,
        enforcingConsecutiveGatewayFailure: 0,
      },
      http2: true,
      idleTimeoutMs: 60_000,
      maxConnectionDurationMs: 600_000,
      maxRequestsPerConnection: 100,
      serviceHost: 'a.d.svc.cluster.local',
      configPath: '/dr',
    });
    expect(cluster.circuitBreakers.default).toEqual({ maxPendingRequests: 7 });
  });

  it('HTTP/2 may be what the cluster asks for, or what TLS agrees on (auto_config)', () => {
    const options = (protocol: Record<string, JsonValue>) => ({
      typedExtensionProtocolOptions: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': at(
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          protocol,
        ),
      },
    });
    expect(ok(options({ autoConfig: { http2ProtocolOptions: { maxConcurrentStreams: 5 } } }))).toMatchObject({
      http2: false,
      http2IfOffered: true,
      http2Options: { maxConcurrentStreams: 5 },
    });
    expect(ok(options({ useDownstreamProtocolConfig: {} }))).not.toHaveProperty('http2IfOffered');
  });

  it.each([
    [
      { lbPolicy: 'ROUND_ROBIN', roundRobinLbConfig: { slowStartConfig: { slowStartWindow: '30s' } } },
      { kind: 'round-robin', slowStart: { windowMs: 30_000, aggression: 1, minWeightPercent: 10 } },
    ],
    [
      { lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 3 } },
      { kind: 'least-request', choiceCount: 3 },
    ],
    [{ lbPolicy: 'RANDOM' }, { kind: 'random' }],
    [
      { lbPolicy: 'RING_HASH' },
      {
        kind: 'ring-hash',
        minimumRingSize: 1_024,
        maximumRingSize: 8_388_608,
        hashFunction: 'xx-hash',
        useHostname: false,
      },
    ],
    [
      {
        lbPolicy: 'RING_HASH',
        ringHashLbConfig: { minimumRingSize: '5', maximumRingSize: '9', hashFunction: 'MURMUR_HASH_2' },
        commonLbConfig: { consistentHashingLbConfig: { useHostnameForHashing: true } },
      },
      { kind: 'ring-hash', minimumRingSize: 5, maximumRingSize: 9, hashFunction: 'murmur-hash-2', useHostname: true },
    ],
    [
      { lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '65537' } },
      { kind: 'maglev', tableSize: 65_537, useHostname: false },
    ],
    [policies(policy('maglev.v3.Maglev')), { kind: 'maglev', tableSize: 65_537, useHostname: false }],
    [
      policies(policy('ring_hash.v3.RingHash', { minimumRingSize: '2', useHostnameForHashing: true })),
      { kind: 'ring-hash', minimumRingSize: 2, useHostname: true },
    ],
    [
      policies(policy('round_robin.v3.RoundRobin', { slowStartConfig: { slowStartWindow: '1s' } })),
      { kind: 'round-robin', slowStart: { windowMs: 1_000, aggression: 1, minWeightPercent: 10 } },
    ],
    [policies(policy('random.v3.Random')), { kind: 'random' }],
    [policies(policy('pick_first.v3.PickFirst')), { kind: 'pick-first', shuffles: false }],
    [policies(policy('pick_first.v3.PickFirst', { shuffleAddressList: true })), { kind: 'pick-first', shuffles: true }],
    [
      {
        lbPolicy: 'LEAST_REQUEST',
        leastRequestLbConfig: {
          activeRequestBias: { defaultValue: 0.5, runtimeKey: 'k' },
          slowStartConfig: {
            slowStartWindow: '9s',
            aggression: { defaultValue: 2, runtimeKey: 'k' },
            minWeightPercent: { value: 25 },
          },
        },
      },
      {
        kind: 'least-request',
        activeRequestBias: 0.5,
        slowStart: { windowMs: 9_000, aggression: 2, minWeightPercent: 25 },
      },
    ],
    [
      { lbPolicy: 'MAGLEV', commonLbConfig: { consistentHashingLbConfig: { hashBalanceFactor: 120 } } },
      { kind: 'maglev', balanceFactor: 120 },
    ],
    [policies(policy('ring_hash.v3.RingHash', { hashBalanceFactor: 150 })), { kind: 'ring-hash', balanceFactor: 150 }],
    [
      policies(policy('maglev.v3.Maglev', { consistentHashingLbConfig: { hashBalanceFactor: 200 } })),
      { kind: 'maglev', balanceFactor: 200 },
    ],
  ])('balancer %j', (json, loadBalancer) => {
    expect(ok(json).loadBalancer).toMatchObject(loadBalancer);
  });

  it('a slow start without a window is none; a factor out of range counts as 1, with a warning (as Envoy does)', () => {
    const slowStartConfig = { aggression: { defaultValue: 0, runtimeKey: 'k' } };
    expect(ok({ roundRobinLbConfig: { slowStartConfig } }).loadBalancer).toEqual({ kind: 'round-robin' });
    const timed = { roundRobinLbConfig: { slowStartConfig: { ...slowStartConfig, slowStartWindow: '1s' } } };
    expect(ok(timed).loadBalancer).toMatchObject({ slowStart: { aggression: 1 } });
    expect(decode(timed)).toMatchObject({
      warnings: expect.arrayContaining([expect.stringContaining('slow_start_config.aggression: 0 is out of range')]),
    });
  });

  it('the first policy that is known counts, through wrr_locality too (gRFC A52)', () => {
    const list = policies(
      policy('common.v3.SlowStartConfig'),
      policy('wrr_locality.v3.WrrLocality', {
        endpointPickingPolicy: { policies: [policy('least_request.v3.LeastRequest')] },
      }),
      policy('random.v3.Random'),
    );
    expect(ok(list)).toMatchObject({ loadBalancer: { kind: 'least-request' }, localityWeighted: true });
  });

  it('client-side weighted round robin has the defaults of gRFC A58, and its limits', () => {
    const weighted = (fields = {}) =>
      policies(policy('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', fields));
    expect(ok(weighted()).loadBalancer).toEqual({
      kind: 'load-weighted',
      blackoutMs: 10_000,
      expirationMs: 180_000,
      updateMs: 1_000,
      errorPenalty: 1,
      metricNames: [],
    });
    const fields = {
      enableOobLoadReport: true,
      blackoutPeriod: '0s',
      weightExpirationPeriod: '60s',
      weightUpdatePeriod: '0.001s',
      errorUtilizationPenalty: 0.5,
      metricNamesForComputingUtilization: ['named_metrics.queue'],
      slowStartConfig: { slowStartWindow: '5s' },
    };
    expect(ok(weighted(fields)).loadBalancer).toMatchObject({
      outOfBandMs: 10_000,
      blackoutMs: 0,
      expirationMs: 60_000,
      updateMs: 100,
      errorPenalty: 0.5,
      metricNames: ['named_metrics.queue'],
      slowStart: { windowMs: 5_000 },
    });
    expect(ok(weighted({ oobReportingPeriod: '5s', enableOobLoadReport: true })).loadBalancer).toMatchObject({
      outOfBandMs: 5_000,
    });
    expect(decode(weighted({ errorUtilizationPenalty: -1 }))).toMatchObject({
      errors: [expect.stringContaining('error_utilization_penalty: -1')],
    });
  });

  it('override_host_status: the states in which a session keeps its host', () => {
    const overrideHostStatus = { statuses: ['HEALTHY', 'DRAINING'] };
    expect(ok({ commonLbConfig: { overrideHostStatus } })).toMatchObject({
      overrideHostStatus: ['healthy', 'draining'],
    });
  });

  it('reads fail_traffic_on_panic in both places, and the full scan of least request', () => {
    const zoneAwareLbConfig = { failTrafficOnPanic: true };
    expect(ok({ commonLbConfig: { zoneAwareLbConfig } })).toMatchObject({ failTrafficOnPanic: true });
    const list = policies(
      policy('least_request.v3.LeastRequest', {
        localityLbConfig: { zoneAwareLbConfig },
        selectionMethod: 'FULL_SCAN',
      }),
    );
    expect(ok(list)).toMatchObject({ failTrafficOnPanic: true, loadBalancer: { fullScan: true } });
    expect(ok({})).not.toHaveProperty('failTrafficOnPanic');
  });

  it.each([
    [{ connectTimeout: '0s' }, 'connect_timeout: 0 s, more than 0 allowed'],
    [{ connectTimeout: '-1s' }, 'connect_timeout: -1 s 0 ns'],
    [{ edsClusterConfig: {} }, 'eds_cluster_config.eds_config: missing'],
    [{ type: 'STATIC' }, 'load_assignment: missing'],
    [{ type: 'LOGICAL_DNS', loadAssignment: assignment(1, 2) }, 'load_assignment: 2 endpoints, exactly one'],
    [
      { lbPolicy: 'RING_HASH', ringHashLbConfig: { maximumRingSize: '8388609' } },
      'ring_hash_lb_config.maximum_ring_size: 8388609, 1 to 8388608',
    ],
    [
      { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '9', maximumRingSize: '8' } },
      'minimum_ring_size: 9, at most maximum_ring_size (8)',
    ],
    [{ lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '65536' } }, 'table_size: 65536, a prime number'],
    [{ lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 1 } }, 'choice_count: 1, 2 to'],
    [{ lbPolicy: 'LOAD_BALANCING_POLICY_CONFIG' }, 'lb_policy: 7'],
    [
      { lbPolicy: 'MAGLEV', commonLbConfig: { consistentHashingLbConfig: { hashBalanceFactor: 99 } } },
      'common_lb_config.consistent_hashing_lb_config.hash_balance_factor: 99, 100 to',
    ],
    [
      { roundRobinLbConfig: { slowStartConfig: { slowStartWindow: '1s', minWeightPercent: { value: 101 } } } },
      'round_robin_lb_config.slow_start_config.min_weight_percent: 101, 0 to 100',
    ],
    [policies(), 'load_balancing_policy.policies: none is known (empty)'],
    [
      policies(policy('common.v3.SlowStartConfig')),
      'none is known (envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig)',
    ],
    [{ outlierDetection: { maxEjectionPercent: 101 } }, 'outlier_detection.max_ejection_percent: 101, 0 to 100'],
  ])('refuses %j', (json, expected) => {
    expect(errors(json)).toContain(expected);
  });

  it('loads are reported to the server that sent the cluster, and to no other one (gRFC A27)', () => {
    expect(ok({ lrsServer: { self: {} } })).toMatchObject({ reportsLoads: true });
    expect(ok({})).not.toHaveProperty('reportsLoads');
    expect(errors({ lrsServer: { ads: {} } })).toBe('lrs_server: ads, self allowed');
    expect(errors({ lrsServer: {} })).toBe('lrs_server: nothing, self allowed');
  });

  it('an aggregate cluster is the clusters it names, in their order, whatever its lb_policy', () => {
    const clusterType = aggregateType({ clusters: ['b', 'a'] });
    const discovery = { kind: 'aggregate', clusters: ['b', 'a'] };
    expect(ok({ ...noEds, clusterType }).discovery).toEqual(discovery);
    expect(ok({ ...noEds, lbPolicy: 'CLUSTER_PROVIDED', clusterType }).discovery).toEqual(discovery);
  });

  it.each([
    [aggregateType({}), 'cluster_type.typed_config.clusters: empty, one cluster at least is required'],
    [aggregateType({ clusters: ['a', ''] }), 'cluster_type.typed_config.clusters[1]: empty, a value is required'],
    [{ name: 'envoy.clusters.aggregate' }, 'cluster_type.typed_config: missing, envoy.extensions.clusters.aggregate'],
    [
      { name: 'x', typedConfig: at('envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin') },
      'cluster_type.typed_config: envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin, envoy.',
    ],
  ])('refuses the cluster type %j', (clusterType, expected) => {
    expect(errors({ ...noEds, clusterType })).toContain(expected);
  });

  it('DNS clusters bring their hosts along', () => {
    expect(
      ok({ type: 'STRICT_DNS', edsClusterConfig: null, loadAssignment: assignment(5432) }).discovery,
    ).toMatchObject({
      kind: 'dns',
      assignment: {
        localities: [{ endpoints: [{ address: 'db.example', port: 5432, health: 'unknown', weight: 1 }] }],
      },
    });
    expect(ok({ type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED', edsClusterConfig: null }).discovery).toEqual({
      kind: 'original-dst',
    });
  });
});
