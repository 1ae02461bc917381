import { create, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { lbEndpoint } from '../../../../test/harness/xds-resources.ts';
import { ClusterLoadAssignmentSchema } from '../../../gen/endpoint.js';
import { registry } from '../../../gen/registry.js';
import { loadAssignmentType } from './load-assignment.ts';

const decodeJson = (json: JsonValue) =>
  loadAssignmentType.decode(
    toBinary(ClusterLoadAssignmentSchema, fromJson(ClusterLoadAssignmentSchema, json, { registry })),
  );
const socket = (address: string, portValue: number) => ({
  endpoint: { address: { socketAddress: { address, portValue } } },
});
const one = (endpoint: JsonValue, locality: Record<string, JsonValue> = {}): JsonValue => ({
  clusterName: 'c',
  endpoints: [{ lbEndpoints: [endpoint], ...locality }],
});
const errors = (json: JsonValue) => {
  const decoded = decodeJson(json);
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};

describe('load assignment', () => {
  it('localities with priority, weight, and endpoints with everything they may carry', () => {
    const decoded = decodeJson({
      clusterName: 'c',
      policy: { overprovisioningFactor: 150 },
      endpoints: [
        {
          locality: { region: 'r', zone: 'z', subZone: 's' },
          priority: 1,
          loadBalancingWeight: 7,
          lbEndpoints: [
            {
              endpoint: { hostname: 'h', address: { socketAddress: { address: '::1', portValue: 80 } } },
              healthStatus: 'DRAINING',
              loadBalancingWeight: 3,
              metadata: {
                filterMetadata: {
                  'envoy.lb': { hash_key: 'k' },
                  istio: { workload: 'w;ns' },
                  'envoy.transport_socket_match': { tlsMode: 'istio', number: 1 },
                },
              },
            },
            { endpoint: { address: { pipe: { path: '/run/s' } } } },
          ],
        },
      ],
    });
    expect('ok' in decoded && decoded.ok).toEqual({
      clusterName: 'c',
      overprovisioningFactor: 150,
      localities: [
        {
          locality: { region: 'r', zone: 'z', subZone: 's' },
          priority: 1,
          weight: 7,
          endpoints: [
            {
              ...{ address: '::1', port: 80, health: 'draining', weight: 3 },
              ...{ hostname: 'h', hashKey: 'k', workload: 'w;ns', transportMatch: new Map([['tlsMode', 'istio']]) },
            },
            { address: 'unix:/run/s', port: 0, health: 'unknown', weight: 1 },
          ],
        },
      ],
    });
  });

  it('a cluster may be empty', () => {
    expect(decodeJson({ clusterName: 'c' })).toMatchObject({ ok: { localities: [], overprovisioningFactor: 140 } });
  });

  it.each([
    [{}, 'cluster_name: empty'],
    [
      one(socket('10.0.0.1', 0)),
      'endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: 0, 1 to 65535',
    ],
    [one(socket('10.0.0.1', 65_536)), 'port_value: 65536'],
    [one(socket('', 1)), 'address: "", an IP address'],
    [one(socket('a b', 1)), 'address: "a b"'],
    [one({}), 'endpoint.address: missing, socket_address or pipe allowed'],
    [one({ endpointName: 'x' }), 'endpoint_name: set, but not supported'],
    [one({ ...socket('10.0.0.1', 1), loadBalancingWeight: 0 }), 'load_balancing_weight: 0, at least 1'],
    [one(socket('10.0.0.1', 1), { priority: 129 }), 'priority: 129, 0 to 128'],
    [{ clusterName: 'c', policy: { overprovisioningFactor: 0 } }, 'policy.overprovisioning_factor: 0'],
    [
      { clusterName: 'c', endpoints: [{ loadBalancingWeight: 4_294_967_295 }, { loadBalancingWeight: 1 }] },
      'the locality weights of priority 0 sum up to 4294967296',
    ],
  ])('refuses %j', (json, expected) => {
    expect(errors(json)).toContain(expected);
  });

  it('10,000 endpoints come in pieces, so that the event loop has its turns', () => {
    const lbEndpoints = Array.from({ length: 10_000 }, (_, index) =>
      lbEndpoint(`10.0.${index >> 8}.${index & 255}`, 8080),
    );
    const bytes = toBinary(
      ClusterLoadAssignmentSchema,
      create(ClusterLoadAssignmentSchema, { clusterName: 'c', endpoints: [{ lbEndpoints }] }),
    );
    const run = loadAssignmentType.steps(bytes);
    let pieces = 0;
    let step = run.next();
    for (; !step.done; step = run.next()) pieces += 1;
    expect(pieces).toBeGreaterThan(50);
    expect('ok' in step.value && step.value.ok.localities[0]?.endpoints).toHaveLength(10_000);
  });
});
