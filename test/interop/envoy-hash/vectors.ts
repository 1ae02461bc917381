import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { xxHash64 } from '../../../sdk/src/balancer/hash/xx-hash-64.ts';
import { addressText } from '../../../sdk/src/balancer/hash-key.ts';
import { systemClock, systemRandom } from '../../../sdk/src/clock.ts';
import type { Cluster, Endpoint, LoadAssignment, LoadBalancer } from '../../../sdk/src/model/cluster.ts';
import type { ClusterConfig } from '../../../sdk/src/model/target.ts';
import type { Pick, PickFailure } from '../../../sdk/src/upstream/pick.ts';
import { createUpstream } from '../../../sdk/src/upstream/upstream.ts';
import type { CaseHost, HashCase, HashVector, HeldStep, HeldVector } from './cases.ts';

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../fixtures/envoy-hash');

/** Everything recorded from live Envoy. */
export const readVectors = (): readonly HashVector[] =>
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) as HashVector);

/** Recorded with requests that stay under way. */
export const readHeldVectors = (): readonly HeldVector[] =>
  readdirSync(path.join(FOLDER, 'held')).map(
    (file) => JSON.parse(readFileSync(path.join(FOLDER, 'held', file), 'utf8')) as HeldVector,
  );

/** Index of the host that the case's upstream picks for each request, with those before it still under way. */
export async function ownHeldPicks(hashCase: HashCase, steps: readonly HeldStep[]): Promise<number[]> {
  const upstream = createUpstream(configOf(hashCase), { clock: systemClock, random: systemRandom, emit: () => {} });
  await upstream.prepare();
  const index = new Map(hashCase.hosts.map((host, at) => [addressText(host), at]));
  const picks: (Pick | PickFailure)[] = [];
  for (const step of steps) {
    if ('ask' in step) picks.push(upstream.pick({ hash: xxHash64(step.ask) }));
    else {
      const picked = picks[step.answer];
      if (picked?.kind === 'pick') picked.release();
    }
  }
  return picks.map((picked) => (picked.kind === 'pick' ? (index.get(addressText(picked.host)) ?? -1) : -1));
}

/** The balancer a case asks for; sizes it does not give are Envoy's defaults. */
export function balancerOf({ policy, settings }: HashCase): Extract<LoadBalancer, { kind: 'ring-hash' | 'maglev' }> {
  const hashing = {
    useHostname: settings.useHostname === true,
    ...(settings.balanceFactor !== undefined && { balanceFactor: settings.balanceFactor }),
  };
  if (policy === 'MAGLEV') return { kind: 'maglev', tableSize: settings.tableSize ?? 65_537, ...hashing };
  return {
    kind: 'ring-hash',
    minimumRingSize: settings.minimumRingSize ?? 1024,
    maximumRingSize: settings.maximumRingSize ?? 8_388_608,
    hashFunction: settings.murmur === true ? 'murmur-hash-2' : 'xx-hash',
    ...hashing,
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
