import { createRegistry, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ClusterSchema, RandomSchema, WrrLocalitySchema } from '../../gen/cluster.js';
import { ClusterLoadAssignmentSchema } from '../../gen/endpoint.js';
import { clusterType } from './cluster/cluster.ts';
import { loadAssignmentType } from './endpoint/load-assignment.ts';
import type { Decoded } from './resource-type.ts';

const registry = createRegistry(RandomSchema, WrrLocalitySchema);

const errorsOf = (decoded: Decoded<unknown>): readonly string[] => ('errors' in decoded ? decoded.errors : []);

const errorsOfCluster = (extra: JsonObject): readonly string[] => {
  const cluster = { name: 'c', type: 'ORIGINAL_DST', ...extra };
  return errorsOf(clusterType.decode(toBinary(ClusterSchema, fromJson(ClusterSchema, cluster, { registry }))));
};

const errorsOfEndpoints = (endpoints: JsonObject[]): readonly string[] => {
  const assignment = { clusterName: 'c', endpoints };
  const bytes = toBinary(ClusterLoadAssignmentSchema, fromJson(ClusterLoadAssignmentSchema, assignment));
  return errorsOf(loadAssignmentType.decode(bytes));
};

const at = (address: string, portValue = 80, extra: JsonObject = {}): JsonObject => ({
  endpoint: { address: { socketAddress: { address, portValue } } },
  ...extra,
});
const of = (...lbEndpoints: JsonObject[]): JsonObject => ({ lbEndpoints });
const ring = (ringHashLbConfig: JsonObject): JsonObject => ({ lbPolicy: 'RING_HASH', ringHashLbConfig });
const maglev = (tableSize: string): JsonObject => ({ lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize } });
const panic = (value: number | string): JsonObject => ({ commonLbConfig: { healthyPanicThreshold: { value } } });
const slow = (minWeightPercent: number | string): JsonObject => ({
  roundRobinLbConfig: { slowStartConfig: { slowStartWindow: '1s', minWeightPercent: { value: minWeightPercent } } },
});

describe('numbers of a cluster that are out of bounds', () => {
  it.each<[JsonObject, string]>([
    [panic('NaN'), 'common_lb_config.healthy_panic_threshold: NaN, 0 to 100 allowed'],
    [panic('Infinity'), 'common_lb_config.healthy_panic_threshold: Infinity, 0 to 100 allowed'],
    [panic(-1), 'common_lb_config.healthy_panic_threshold: -1, 0 to 100 allowed'],
    [panic(100.5), 'common_lb_config.healthy_panic_threshold: 100.5, 0 to 100 allowed'],
    [slow('NaN'), 'round_robin_lb_config.slow_start_config.min_weight_percent: NaN, 0 to 100 allowed'],
    [slow(101), 'round_robin_lb_config.slow_start_config.min_weight_percent: 101, 0 to 100 allowed'],
    [ring({ maximumRingSize: '8388609' }), 'ring_hash_lb_config.maximum_ring_size: 8388609, 1 to 8388608 allowed'],
    [
      ring({ minimumRingSize: '18446744073709551615' }),
      'ring_hash_lb_config.minimum_ring_size: 18446744073709552000, 1 to 8388608 allowed',
    ],
    [ring({ minimumRingSize: '9', maximumRingSize: '5' }), 'minimum_ring_size: 9, at most maximum_ring_size (5)'],
    [maglev('65536'), 'maglev_lb_config.table_size: 65536, a prime number allowed'],
    [maglev('18446744073709551615'), 'maglev_lb_config.table_size: 18446744073709552000, 1 to 5000011 allowed'],
    [{ connectTimeout: '-1s' }, 'connect_timeout: -1 s 0 ns, from 0 to 315576000000 s allowed'],
    [{ connectTimeout: '0s' }, 'connect_timeout: 0 s, more than 0 allowed'],
    [
      { outlierDetection: { maxEjectionPercent: 101 } },
      'outlier_detection.max_ejection_percent: 101, 0 to 100 allowed',
    ],
    [
      { circuitBreakers: { thresholds: [{ retryBudget: { budgetPercent: { value: 'NaN' } } }] } },
      'circuit_breakers.thresholds[0].retry_budget.budget_percent: NaN, 0 to 100 allowed',
    ],
  ])('%j', (extra, error) => {
    expect(errorsOfCluster(extra).join('\n')).toContain(error);
  });

  it('those at the bounds are taken', () => {
    for (const extra of [panic(0), panic(100), slow(0), slow(100), ring({ maximumRingSize: '8388608' }), maglev('2')])
      expect(errorsOfCluster(extra)).toEqual([]);
  });
});

describe('endpoints that are out of bounds', () => {
  const host = 'endpoints[0].lb_endpoints[0].endpoint.address';
  it.each<[string, JsonObject[], string]>([
    ['no address', [of(at(''))], `${host}.socket_address.address: "", an IP address or a host name allowed`],
    ['an address with a NUL', [of(at('a\u0000b'))], 'an IP address or a host name allowed'],
    ['an address with a blank', [of(at('10.0.0.1 '))], `${host}.socket_address.address: "10.0.0.1 "`],
    ['an IPv6 address in brackets', [of(at('[::1]'))], `${host}.socket_address.address: "[::1]"`],
    ['port 0', [of(at('10.0.0.1', 0))], `${host}.socket_address.port_value: 0, 1 to 65535 allowed`],
    ['a port of five digits too many', [of(at('10.0.0.1', 65_536))], 'port_value: 65536, 1 to 65535 allowed'],
    ['nothing at all', [of({})], `${host}: missing, socket_address or pipe allowed`],
    [
      'weight 0',
      [of(at('10.0.0.1', 80, { loadBalancingWeight: 0 }))],
      'endpoints[0].lb_endpoints[0].load_balancing_weight: 0, at least 1 allowed',
    ],
    [
      'weights that overflow together',
      [of(at('10.0.0.1', 80, { loadBalancingWeight: 4_294_967_295 }), at('10.0.0.2'))],
      "endpoints[0].lb_endpoints: the weights' sum is 4294967296, at most 4294967295 allowed",
    ],
    [
      'localities whose weights overflow together',
      [
        { loadBalancingWeight: 4_294_967_295, ...of(at('10.0.0.1')) },
        { loadBalancingWeight: 1, ...of(at('10.0.0.2')) },
      ],
      'the locality weights of priority 0 sum up to 4294967296',
    ],
    ['priority 129', [{ priority: 129, ...of(at('10.0.0.1')) }], 'endpoints[0].priority: 129, 0 to 128 allowed'],
  ])('%s', (_what, endpoints, error) => {
    expect(errorsOfEndpoints(endpoints).join('\n')).toContain(error);
  });

  it('IPv6, every port, and an address named twice are taken', () => {
    expect(errorsOfEndpoints([of(at('::1', 65_535), at('2001:db8::1', 1), at('::1', 65_535))])).toEqual([]);
  });
});

describe('messages packed in one another', () => {
  const pack = (typeName: string, inner: JsonObject): JsonObject => ({
    '@type': `type.googleapis.com/${typeName}`,
    ...inner,
  });
  const POLICIES = 'envoy.extensions.load_balancing_policies';

  it('are refused when they go too deep: a parser counts anew in each', () => {
    let policy = pack(`${POLICIES}.random.v3.Random`, {});
    const listOf = (typedConfig: JsonObject): JsonObject => ({
      policies: [{ typedExtensionConfig: { name: 'p', typedConfig } }],
    });
    const depths = [2, 13].map((depth) => {
      for (let level = 0; level < depth; level++) {
        policy = pack(`${POLICIES}.wrr_locality.v3.WrrLocality`, { endpointPickingPolicy: listOf(policy) });
      }
      return errorsOfCluster({ loadBalancingPolicy: listOf(policy) }).join('\n');
    });
    expect(depths[0]).toBe('');
    expect(depths[1]).toContain('nested too deep, 64 steps allowed');
  });
});
