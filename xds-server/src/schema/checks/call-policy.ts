import type { Place } from '../place.ts';
import type { CallPolicySpec, CallPolicyTarget, HealthCheckSettings, Hedging } from '../spec/call-policy.ts';

const ISTIO = 'networking.istio.io';

/** Group and kind go together, as in every Gateway API reference. */
export const checkTarget = ({ group, kind, sectionName }: CallPolicyTarget, place: Place): void => {
  const wanted = kind === 'Service' ? '' : ISTIO;
  if ((group ?? wanted) !== wanted) place.at('group').error(`got ${JSON.stringify(group)}, ${kind} wants "${wanted}"`);
  if (sectionName !== undefined && kind !== 'VirtualService') {
    place.at('sectionName').error(`a ${kind} has no sections, want a VirtualService, whose http route it names`);
  }
};

export const checkHedging = ({ delay, onPerTryTimeout }: Hedging, place: Place): void => {
  if (delay === undefined && onPerTryTimeout !== true) place.error('want delay, onPerTryTimeout: true or both');
};

export const checkHealthCheck = (check: HealthCheckSettings, place: Place): void => {
  const set = (['http', 'tcp', 'grpc'] as const).filter((name) => check[name] !== undefined);
  if (set.length === 0) place.error('nothing to check with, want exactly one of http, tcp, grpc');
  if (set[1] !== undefined) place.at(set[1]).error(`${set[0]} is set too, want exactly one of http, tcp, grpc`);
};

export const checkCallPolicy = (spec: CallPolicySpec, place: Place): void => {
  if (spec.targetRefs.length === 0)
    place.at('targetRefs').error('want at least one Service, ServiceEntry or VirtualService');
  const asks = Object.entries(spec).some(([name, value]) => name !== 'targetRefs' && value !== undefined);
  if (!asks && spec.targetRefs.length > 0) place.warn('nothing is asked for: the policy has no effect');
};
