import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cluster, Endpoint, LoadAssignment, LoadBalancer } from '../../../sdk/src/model/cluster.ts';
import type { ClusterConfig } from '../../../sdk/src/model/target.ts';
import type { CaseHost, HashCase, HashVector } from './cases.ts';

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../fixtures/envoy-hash');

/** Everything recorded from live Envoy. */
export const readVectors = (): readonly HashVector[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) as HashVector);

/** The balancer a case asks for; sizes it does not give are Envoy's defaults. */
export function balancerOf({ policy, settings }: HashCase): Extract<LoadBalancer, { kind: 'ring-hash' | 'maglev' }> {
  const useHostname = settings.useHostname === true;
  if (policy === 'MAGLEV') return { kind: 'maglev', tableSize: settings.tableSize ?? 65_537, useHostname };
  return {
    kind: 'ring-hash',
    minimumRingSize: settings.minimumRingSize ?? 1024,
    maximumRingSize: settings.maximumRingSize ?? 8_388_608,
    hashFunction: settings.murmur === true ? 'murmur-hash-2' : 'xx-hash',
    useHostname,
  };
}

export const endpointOf = ({ address, port, weight, hashKey, hostname, unhealthy }: CaseHost): Endpoint => ({
  address,
  port,
  weight,
  health: unhealthy === true ? 'unhealthy' : 'unknown',
  ...(hashKey === undefined ? {} : { hashKey }),
  ...(hostname === undefined ? {} : { hostname }),
});

/** The case as the mesh's own configuration. */
export function configOf(hashCase: HashCase): ClusterConfig {
  const localities = hashCase.localities ?? [{ zone: '', priority: 0, weight: 1 }];
  const assignment: LoadAssignment = {
    clusterName: hashCase.name,
    overprovisioningFactor: 140,
    localities: localities.map(({ zone, priority, weight }, index) => ({
      locality: { region: 'region', zone, subZone: '' },
      priority,
      weight,
      endpoints: hashCase.hosts.filter((host) => (host.locality ?? 0) === index).map(endpointOf),
    })),
  };
  const cluster: Cluster = {
    name: hashCase.name,
    discovery: { kind: 'static', assignment },
    connectTimeoutMs: 5_000,
    loadBalancer: balancerOf(hashCase),
    panicThreshold: hashCase.settings.panicThreshold ?? 0,
    localityWeighted: hashCase.settings.localityWeighted === true,
    circuitBreakers: { default: {}, high: {} },
    http2: false,
  };
  return { cluster, assignment };
}
