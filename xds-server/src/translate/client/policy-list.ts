import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { type LoadBalancingPolicySchema, RoundRobinSchema, WrrLocalitySchema } from '@inmesh/sdk/internal/gen/cluster';
import { type Fields, packAny } from '../proto.ts';

type PolicyList = Fields<typeof LoadBalancingPolicySchema>;
type Policy = NonNullable<PolicyList['policies']>[number];

/** One policy of a list; the name is only shown. */
export const policy = <Desc extends DescMessage>(schema: Desc, fields: MessageInitShape<Desc>): Policy => ({
  typedExtensionConfig: {
    name: schema.typeName.replace(/\.v3\..*$/, '').replace('envoy.extensions', 'envoy'),
    typedConfig: packAny(schema, fields),
  },
});

/** The first that a client knows counts, so the last is one that every client knows (gRFC A52, Envoy LoadBalancingPolicy). */
export const withRoundRobin = (...policies: readonly Policy[]): PolicyList => ({
  policies: [...policies, policy(RoundRobinSchema, {})],
});

/** What gRPC makes of the enum ROUND_ROBIN, with another policy inside: localities by their weights (gRFC A52). */
export const byLocality = (endpointPickingPolicy: PolicyList): PolicyList => ({
  policies: [policy(WrrLocalitySchema, { endpointPickingPolicy })],
});
