import type { Metadata } from '../../gen/core.js';
import { type CallPolicy, CallPolicySchema, CallPolicy_FaultScope as FaultScope } from '../../gen/inmesh.js';
import type { FaultPolicy, ForwardAction, HedgePolicy } from '../model/action.ts';
import { typeNameOf, unpack } from './any.ts';
import type { Scope } from './scope.ts';
import { inRange, positiveMs } from './values.ts';

const KEY = 'inmesh.io/call-policy';

/** More hedges of one call would be an amplifier. */
const MOST_HEDGES = 10;

/** What the control plane's CallPolicy resource says beyond Envoy's fields: typed_filter_metadata of a route or cluster. */
export function callPolicyIn(metadata: Metadata | undefined, at: Scope): CallPolicy | undefined {
  let policy: CallPolicy | undefined;
  for (const [key, any] of Object.entries(metadata?.typedFilterMetadata ?? {})) {
    const here = at.at('metadata').at('typed_filter_metadata').at(key);
    if (key === KEY && typeNameOf(any) === CallPolicySchema.typeName) policy = unpack(any, CallPolicySchema, here);
    else here.warn(`ignored: ${typeNameOf(any)}, which this client does not know`);
  }
  return policy;
}

type OfAction = Pick<ForwardAction, 'hedge' | 'mirrorComparison' | 'retryNonIdempotent' | 'fault' | 'callPolicies'>;

/** Written over what Envoy's own fields say of the same. */
export function applyCallPolicy(action: ForwardAction, policy: CallPolicy | undefined, at: Scope): ForwardAction {
  if (policy === undefined) return action;
  const hedge = policy.hedging && decodeHedging(policy.hedging, action.hedge, at.at('hedging'));
  const { status = false, json = false, latency = false } = policy.mirrorComparison ?? {};
  const own: OfAction = {
    ...(policy.sources.length > 0 && { callPolicies: policy.sources }),
    ...(hedge && { hedge }),
    ...((status || json || latency) && { mirrorComparison: { status, json, latency } }),
    ...(policy.retryNonIdempotent && { retryNonIdempotent: true }),
    ...(action.fault && { fault: scoped(action.fault, policy) }),
  };
  return { ...action, ...own };
}

const scoped = (fault: FaultPolicy, { faultScope }: CallPolicy): FaultPolicy =>
  faultScope === FaultScope.ATTEMPT ? { ...fault, scope: 'attempt' } : fault;

function decodeHedging(
  { delay, maxHedges }: NonNullable<CallPolicy['hedging']>,
  envoys: HedgePolicy | undefined,
  at: Scope,
): HedgePolicy {
  const fixedMs = delay.case === 'fixedDelay' ? positiveMs(delay.value, at.at('fixed_delay')) : undefined;
  const chosen = delay.case === 'p95Delay' && delay.value ? 'p95' : fixedMs;
  return {
    onPerTryTimeout: envoys?.onPerTryTimeout ?? false,
    ...(chosen !== undefined && { delay: chosen }),
    ...(maxHedges > 0 && { maxHedges: inRange(maxHedges, 1, MOST_HEDGES, at.at('max_hedges')) }),
  };
}
