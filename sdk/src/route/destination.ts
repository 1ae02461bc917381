import { runtimeInteger } from '../match/fraction.ts';
import { requestHeaderValues } from '../match/headers.ts';
import type { WeightedCluster } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { requestHash } from './request-hash.ts';
import { chooseCluster } from './split.ts';
import type { CompiledForward } from './table.ts';

const NO_MUTATION = { set: [], remove: [] };

/**
 * The cluster a request goes to; its name is empty where the header that names it is missing, and there is none at all
 * only for an action without any. `draw` chooses among several, unless the action takes the number from the request.
 */
export function destinationOf(
  action: CompiledForward,
  request: MeshRequest,
  draw: number,
): WeightedCluster | undefined {
  const { clusterHeader } = action;
  if (clusterHeader !== undefined) {
    const name = firstValue(request, clusterHeader);
    return { name, weight: 1, requestHeaders: NO_MUTATION, responseHeaders: NO_MUTATION };
  }
  const chosen = choose(action, request, draw);
  return chosen?.clusterHeader === undefined ? chosen : { ...chosen, name: firstValue(request, chosen.clusterHeader) };
}

/** Of a repeated header the first value counts (Envoy RouteAction.cluster_header). */
const firstValue = (request: MeshRequest, header: string): string => requestHeaderValues(request, header)[0] ?? '';

function choose(action: CompiledForward, request: MeshRequest, draw: number): WeightedCluster | undefined {
  const weighted = action.runtimeKeyPrefix === undefined ? action : withRuntimeWeights(action, request);
  const { splitBy, totalWeight } = weighted;
  if (splitBy === undefined || totalWeight === 0) return chooseCluster(weighted, draw);
  const given =
    splitBy.kind === 'header'
      ? headerNumber(request, splitBy.name, totalWeight)
      : hashNumber(action, request, totalWeight);
  return chooseCluster(weighted, given ?? draw);
}

/** Envoy WeightedCluster.runtime_key_prefix: a number under `prefix.cluster` replaces that cluster's weight. */
function withRuntimeWeights(action: CompiledForward, { runtime }: MeshRequest): CompiledForward {
  if (runtime === undefined) return action;
  const clusters = action.clusters.map((cluster) => {
    const weight = runtimeInteger(runtime.get(`${action.runtimeKeyPrefix}.${cluster.name}`));
    return weight === undefined ? cluster : { ...cluster, weight };
  });
  return { ...action, clusters, totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0) };
}

const LARGEST_UINT64 = 2n ** 64n - 1n;

/** Envoy WeightedCluster.header_name: an unsigned 64-bit number, once; anything else leaves it to chance. */
function headerNumber(request: MeshRequest, name: string, total: number): number | undefined {
  const values = requestHeaderValues(request, name);
  const digits = values.length === 1 ? /^\s*\+?(\d+)\s*$/.exec(values[0] ?? '')?.[1] : undefined;
  const number = digits === undefined ? undefined : BigInt(digits);
  return number === undefined || number > LARGEST_UINT64 ? undefined : Number(number % BigInt(total));
}

/** Envoy WeightedCluster.use_hash_policy. */
function hashNumber({ hashPolicies }: CompiledForward, request: MeshRequest, total: number): number | undefined {
  // A cookie that a policy would make is not made yet: Envoy 1.40 takes it for none.
  const { hash } = requestHash(hashPolicies, { request, random: undefined });
  if (hash === undefined) return undefined;
  return Number(((BigInt(hash.hi) << 32n) | BigInt(hash.lo)) % BigInt(total));
}
