import type { Any } from '@bufbuild/protobuf/wkt';
import {
  ClientSideWeightedRoundRobinSchema,
  type Cluster_CommonLbConfig,
  LeastRequestSchema,
  type LoadBalancingPolicy,
  type LocalityLbConfig,
  MaglevSchema,
  PickFirstSchema,
  RandomSchema,
  RingHash_HashFunction,
  RingHashSchema,
  RoundRobinSchema,
  WrrLocalitySchema,
} from '../../../gen/cluster.js';
import type { LoadBalancer } from '../../model/cluster.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { hashing, leastRequest, loadWeighted, maglev, ringHash, slowStart } from './balancer-limits.ts';
import type { LoadBalancing } from './load-balancing.ts';

type Decode = (any: Any, at: Scope) => LoadBalancing | undefined;

const RANDOM: LoadBalancer = { kind: 'random' };

const KNOWN: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  [
    RoundRobinSchema.typeName,
    (any, at) => {
      const message = unpack(any, RoundRobinSchema, at);
      const loadBalancer: LoadBalancer = { kind: 'round-robin', ...slowStart(message?.slowStartConfig, at) };
      return { loadBalancer, ...decodeLocalities(message?.localityLbConfig) };
    },
  ],
  [
    LeastRequestSchema.typeName,
    (any, at) => {
      const message = unpack(any, LeastRequestSchema, at);
      const loadBalancer = leastRequest(message ?? {}, at);
      return { loadBalancer, ...decodeLocalities(message?.localityLbConfig) };
    },
  ],
  [
    RandomSchema.typeName,
    (any, at) => {
      const message = unpack(any, RandomSchema, at);
      return { loadBalancer: RANDOM, ...decodeLocalities(message?.localityLbConfig) };
    },
  ],
  [
    ClientSideWeightedRoundRobinSchema.typeName,
    (any, at) => ({
      loadBalancer: loadWeighted(unpack(any, ClientSideWeightedRoundRobinSchema, at) ?? {}, at),
      localityWeighted: false,
    }),
  ],
  [
    PickFirstSchema.typeName,
    (any, at) => {
      const shuffles = unpack(any, PickFirstSchema, at)?.shuffleAddressList === true;
      return { loadBalancer: { kind: 'pick-first', shuffles }, localityWeighted: false };
    },
  ],
  [RingHashSchema.typeName, decodeRingHash],
  [
    MaglevSchema.typeName,
    (any, at) => {
      const message = unpack(any, MaglevSchema, at);
      const settings = hashing(message?.consistentHashingLbConfig, at.at('consistent_hashing_lb_config'));
      const localityWeighted = message?.localityWeightedLbConfig !== undefined;
      return { loadBalancer: maglev(message ?? {}, settings, at), localityWeighted };
    },
  ],
  [WrrLocalitySchema.typeName, decodeWrrLocality],
]);

function decodeRingHash(any: Any, at: Scope): LoadBalancing {
  const message = unpack(any, RingHashSchema, at);
  // The fields of its own are the older spelling; the message wins.
  const settings = message?.consistentHashingLbConfig
    ? hashing(message.consistentHashingLbConfig, at.at('consistent_hashing_lb_config'))
    : hashing(message, at);
  const isMurmur = message?.hashFunction === RingHash_HashFunction.MURMUR_HASH_2;
  const loadBalancer = ringHash(message ?? {}, { ...settings, isMurmur }, at);
  return { loadBalancer, localityWeighted: message?.localityWeightedLbConfig !== undefined };
}

/** gRFC A52: weights between localities, the inner policy within one. */
function decodeWrrLocality(any: Any, at: Scope): LoadBalancing | undefined {
  const message = unpack(any, WrrLocalitySchema, at);
  const inner = message?.endpointPickingPolicy;
  const here = at.at('endpoint_picking_policy');
  if (inner === undefined) here.error('missing, a policy is required');
  return inner && { ...decodePolicyList(inner, here), localityWeighted: true };
}

/** The old common_lb_config and the typed policies say it in the same words. */
export function decodeLocalities(
  config:
    | Pick<LocalityLbConfig, 'localityConfigSpecifier'>
    | Pick<Cluster_CommonLbConfig, 'localityConfigSpecifier'>
    | undefined,
): Omit<LoadBalancing, 'loadBalancer'> {
  const specifier = config?.localityConfigSpecifier;
  const fails = specifier?.case === 'zoneAwareLbConfig' && specifier.value.failTrafficOnPanic;
  return {
    localityWeighted: specifier?.case === 'localityWeightedLbConfig',
    ...(fails && { failTrafficOnPanic: true }),
  };
}

/** The first policy that is known counts (Envoy LoadBalancingPolicy.policies, gRFC A52). */
export function decodePolicyList(list: LoadBalancingPolicy, at: Scope): LoadBalancing {
  const refused: string[] = [];
  for (const [index, { typedExtensionConfig }] of list.policies.entries()) {
    const any = typedExtensionConfig?.typedConfig;
    const decode = any && KNOWN.get(typeNameOf(any));
    const here = at.at('policies').at(index).at('typed_extension_config').at('typed_config');
    const decoded = any && decode?.(any, here);
    if (decoded !== undefined) return decoded;
    refused.push(any ? typeNameOf(any) : 'nothing');
  }
  at.at('policies').error(
    `none is known (${refused.join(', ') || 'empty'}), one of ${[...KNOWN.keys()].join(', ')} required`,
  );
  return { loadBalancer: RANDOM, localityWeighted: false };
}
