import type { CallPolicySpec } from '../../schema/spec/call-policy.ts';
import type { CallPolicy } from '../world.ts';

export type CallPolicyField = Exclude<keyof CallPolicySpec, 'targetRefs'>;

/** What a route can have, and what the clusters of a service. */
export const ROUTE_FIELDS = ['hedging', 'bodyBuffer', 'faultScope', 'mirror', 'retryNonIdempotent'] as const;
export const CLUSTER_FIELDS = ['healthCheck', 'keepAlive', 'weightedByLoad'] as const;
/** Of a cluster, what gRPC clients have. */
export const GRPC_CLUSTER_FIELDS = ['weightedByLoad'] as const;

export interface EffectiveCallPolicy extends Partial<Omit<CallPolicySpec, 'targetRefs'>> {
  /** Policies that had a part in it, in the order of `policies`. */
  readonly sources: readonly CallPolicy[];
}

const NOTHING: EffectiveCallPolicy = { sources: [] };

/**
 * Field by field: the first of `policies` that sets one decides it. They come the most specific target first, those of one
 * target the oldest first.
 */
export const effectiveCallPolicy = (
  policies: readonly CallPolicy[],
  fields: readonly CallPolicyField[],
): EffectiveCallPolicy => {
  if (policies.length === 0) return NOTHING;
  const owners = fields.flatMap((field) => {
    const owner = policies.find(({ spec }) => spec[field] !== undefined);
    return owner === undefined ? [] : [{ field, owner }];
  });
  const spec = Object.fromEntries(owners.map(({ field, owner }) => [field, owner.spec[field]]));
  return { ...spec, sources: policies.filter((policy) => owners.some(({ owner }) => owner === policy)) };
};

export const sourceNames = ({ sources }: EffectiveCallPolicy): string[] =>
  sources.map(({ namespace, name }) => `${namespace}/${name}`);
