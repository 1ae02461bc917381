import type { MeshEndpoint } from '../../registry/read-model.ts';
import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import { capabilityOf } from '../capability/capabilities.ts';
import type { Cell } from '../capability/message-table.ts';
import { GRPC_CLIENTS, type GrpcClient } from '../client/grpc-client.ts';
import { grpcOrigination } from '../client/origination.ts';
import { grpcRetryWords } from '../client/retry.ts';
import { retryConditions } from '../route/retry-policy.ts';
import type { EffectivePolicy } from '../traffic-policy.ts';
import type { View } from '../view.ts';
import { OF_POLICIES, OF_ROUTES, type Written } from './written.ts';

/** Something that a rule says and one client does not do as written. */
export interface PartLimit {
  /** In the part that was looked at. */
  readonly path: string;
  readonly reason: string;
}

/** A client that nobody knows is taken for the least able. */
const cellFor = (field: string, client: GrpcClient): Cell => {
  const cells = capabilityOf(field);
  if (cells === undefined) return 'supported';
  if (client !== 'unknown') return cells[client];
  return GRPC_CLIENTS.map((one) => cells[one]).find((cell) => cell !== 'supported') ?? 'supported';
};

const reasonOf = (cell: Exclude<Cell, 'supported'>): string => {
  if ('ignored' in cell) return cell.ignored;
  return 'rejected' in cell ? cell.rejected : `sent as ${cell.sentAs}`;
};

const limitsIn = <T>(part: T, table: readonly Written<T>[], client: GrpcClient): PartLimit[] =>
  table.flatMap(({ path, isSet, field }) => {
    const cell = isSet(part) ? cellFor(field, client) : 'supported';
    return cell === 'supported' ? [] : [{ path, reason: reasonOf(cell) }];
  });

/** Of an http route of a VirtualService. */
export const routeLimits = (http: HttpRoute, client: GrpcClient): readonly PartLimit[] => {
  const limits = limitsIn(http, OF_ROUTES, client);
  const { retries } = http;
  if (retries?.attempts) {
    const { retryOn = '', retriableStatusCodes = [] } = retryConditions(retries);
    const { words, lost } = grpcRetryWords(retryOn, retriableStatusCodes);
    if (lost.length > 0) {
      const rest = words.length > 0 ? `retried is ${words.join(', ')}` : 'nothing is retried';
      limits.push({ path: 'retries.retryOn', reason: `${lost.join(', ')}: not among the words of gRFC A44; ${rest}` });
    }
  }
  return limits;
};

/** gRPC clients cut rings to this size unless a channel option says otherwise (grpc.lb.ring_hash.ring_size_cap). */
const RING_CAP = 4_096;

/** Of what a DestinationRule says of one cluster. */
export const policyLimits = (policy: EffectivePolicy, view: View, client: GrpcClient): readonly PartLimit[] => {
  const limits = limitsIn(policy, OF_POLICIES, client);
  const { tls, loadBalancer } = policy;
  const hash = loadBalancer?.consistentHash;
  if ((hash?.ringHash?.minimumRingSize ?? hash?.minimumRingSize ?? 0) > RING_CAP) {
    limits.push({ path: 'loadBalancer.consistentHash.ringHash', reason: `a ring has ${RING_CAP} entries at most` });
  }
  const isOriginated = tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL';
  if (isOriginated && grpcOrigination(tls, { serverName: 'any', serviceNames: [] }, view) === undefined) {
    limits.push({ path: `tls.mode: ${tls.mode}`, reason: 'it cannot be told of such TLS: calls fail UNAVAILABLE' });
  }
  return limits;
};

/** LbEndpoint.load_balancing_weight: of the policies that gRPC clients get only the ring looks at it (gRFC A42). */
export const weightLimits = (policy: EffectivePolicy, endpoints: readonly MeshEndpoint[]): readonly PartLimit[] => {
  if (policy.loadBalancer?.consistentHash !== undefined) return [];
  const weights = new Map<string, number>();
  const differ = endpoints.some(({ weight, locality: { region, zone, subZone } }) => {
    const place = `${region}/${zone}/${subZone}`;
    const other = weights.get(place) ?? weight;
    weights.set(place, weight);
    return other !== weight;
  });
  const reason = 'within a locality all get as many calls; localities and a consistent hash have weights';
  return differ ? [{ path: 'endpoints.weight', reason }] : [];
};
