import { CallPolicySchema, CallPolicy_FaultScope as FaultScope } from '@inmesh/sdk/internal/gen/inmesh';
import type { RouteActionSchema, RouteSchema } from '@inmesh/sdk/internal/gen/route';
import { formatDuration } from '../../schema/duration.ts';
import type { Hedging } from '../../schema/spec/call-policy.ts';
import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import { duration } from '../duration.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { CallPolicy, VirtualService, World } from '../world.ts';
import { type EffectiveCallPolicy, effectiveCallPolicy, ROUTE_FIELDS, sourceNames } from './effective.ts';

/** Where the client looks for it; other clients do not know the name and pass over it. */
export const CALL_POLICY_METADATA = 'inmesh.io/call-policy';

/** Those of the http route by its name, of its VirtualService, of the one that delegates to it, of the service dialled. */
export const routeCallPolicy = (
  world: World,
  { rule, root, http }: { readonly rule?: VirtualService; readonly root?: VirtualService; readonly http?: HttpRoute },
  service: string | undefined,
): EffectiveCallPolicy => {
  const ofRule = rule === undefined ? [] : world.callPolicies(rule.key);
  const ofRoot = root === undefined || root === rule ? [] : world.callPolicies(root.key);
  const here = (policy: CallPolicy, key: string, isSection: boolean): boolean =>
    policy.spec.targetRefs.some(
      ({ kind, name, sectionName }) =>
        `${kind}/${policy.namespace}/${name}` === key &&
        (isSection ? sectionName !== undefined && sectionName === http?.name : sectionName === undefined),
    );
  const policies = [
    ...ofRule.filter((policy) => here(policy, rule?.key ?? '', true)),
    ...ofRule.filter((policy) => here(policy, rule?.key ?? '', false)),
    ...ofRoot.filter((policy) => here(policy, root?.key ?? '', false)),
    ...(service === undefined ? [] : world.callPolicies(service)),
  ];
  return effectiveCallPolicy([...new Set(policies)], ROUTE_FIELDS);
};

/** Fields of Envoy's own RouteAction; gRPC clients have none of them. */
export const hedgeOf = (
  { hedging }: EffectiveCallPolicy,
  client: View['kind'],
): Pick<Fields<typeof RouteActionSchema>, 'hedgePolicy'> =>
  hedging?.onPerTryTimeout && client !== 'grpc' ? { hedgePolicy: { hedgeOnPerTryTimeout: true } } : {};

export const bufferOf = (
  { bodyBuffer }: EffectiveCallPolicy,
  client: View['kind'],
): Pick<Fields<typeof RouteSchema>, 'requestBodyBufferLimit'> =>
  bodyBuffer === undefined || client === 'grpc' ? {} : { requestBodyBufferLimit: BigInt(bodyBuffer) };

/** What Envoy has no field for, to clients that know it; `undefined`: nothing is asked for. */
export const callPolicyMetadata = (policy: EffectiveCallPolicy, client: View['kind']) => {
  if (client !== 'sdk' || policy.sources.length === 0) return {};
  const { hedging, faultScope, mirror, retryNonIdempotent } = policy;
  const own = packAny(CallPolicySchema, {
    sources: sourceNames(policy),
    ...(hedging && { hedging: hedgingOf(hedging) }),
    ...(faultScope === 'attempt' ? { faultScope: FaultScope.ATTEMPT } : {}),
    ...(mirror && { mirrorComparison: mirror.compare }),
    ...(retryNonIdempotent ? { retryNonIdempotent } : {}),
  });
  return { typedFilterMetadata: { [CALL_POLICY_METADATA]: own } };
};

const hedgingOf = ({ delay, maxHedges = 0 }: Hedging): NonNullable<Fields<typeof CallPolicySchema>['hedging']> => {
  if (delay === undefined) return { maxHedges };
  if (delay === 'p95') return { delay: { case: 'p95Delay', value: true }, maxHedges };
  return { delay: { case: 'fixedDelay', value: duration(delay) }, maxHedges };
};

/** One line a route for explain. */
export const callPolicyNotes = (policy: EffectiveCallPolicy): readonly string[] => {
  if (policy.sources.length === 0) return [];
  const { hedging, bodyBuffer, faultScope, mirror, retryNonIdempotent } = policy;
  const compared = Object.entries(mirror?.compare ?? {}).flatMap(([name, isOn]) => (isOn ? [name] : []));
  const parts = [
    ...(hedging ? [describeHedging(hedging)] : []),
    ...(bodyBuffer === undefined ? [] : [`bodies up to ${bodyBuffer} bytes are kept`]),
    ...(faultScope ? [`faults hit the ${faultScope}`] : []),
    ...(compared.length > 0 ? [`mirrors are compared by ${compared.join(', ')}`] : []),
    ...(retryNonIdempotent ? ['requests that are not idempotent are repeated too'] : []),
  ];
  return [`CallPolicy ${sourceNames(policy).join(', ')}: ${parts.join('; ') || 'nothing'}`];
};

const describeHedging = ({ delay, maxHedges = 1, onPerTryTimeout }: Hedging): string => {
  const after = typeof delay === 'number' ? formatDuration(delay) : delay;
  const when = [...(after ? [`after ${after}`] : []), ...(onPerTryTimeout ? ['when a try is late'] : [])];
  return `hedged ${when.join(' and ')}, ${maxHedges} at most`;
};
