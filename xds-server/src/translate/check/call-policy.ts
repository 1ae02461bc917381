import type { ObjectKey } from '../../schema/types.ts';
import { type CallPolicyField, CLUSTER_FIELDS, ROUTE_FIELDS } from '../call-policy/effective.ts';
import type { CallPolicy, World } from '../world.ts';
import { type Finding, warning } from './finding.ts';
import { checkCallPolicyForGrpc } from './grpc-clients.ts';

type Target = CallPolicy['spec']['targetRefs'][number];

/** What of a CallPolicy will not happen as written. */
export const checkCallPolicy = (world: World, policy: CallPolicy): readonly Finding[] => {
  const { targetRefs } = policy.spec;
  const findings = targetRefs.flatMap((target, index) =>
    checkTarget(world, policy, target, `spec.targetRefs[${index}]`),
  );
  if (targetRefs.every(({ kind }) => kind === 'VirtualService')) {
    const message = 'no effect on a route: it is about connections, want a Service or ServiceEntry among targetRefs';
    for (const field of set(policy, CLUSTER_FIELDS)) findings.push(warning(`spec.${field}`, message));
  }
  return [...findings, ...checkCallPolicyForGrpc(world, policy)];
};

const set = ({ spec }: CallPolicy, fields: readonly CallPolicyField[]): readonly CallPolicyField[] =>
  fields.filter((field) => spec[field] !== undefined);

const checkTarget = (world: World, policy: CallPolicy, target: Target, path: string): readonly Finding[] => {
  const { kind, name, sectionName } = target;
  const key: ObjectKey = `${kind}/${policy.namespace}/${name}`;
  if (!world.isServed(key)) return [warning(path, `no effect: there is no ${kind} ${policy.namespace}/${name}`)];
  if (sectionName !== undefined) {
    const routes = world.virtualService(policy.namespace, name)?.spec.http ?? [];
    if (!routes.some((route) => route.name === sectionName)) {
      const message = `no effect: VirtualService ${policy.namespace}/${name} has no http route named "${sectionName}"`;
      return [warning(`${path}.sectionName`, message)];
    }
  }
  return checkTwin(world, policy, target, key);
};

/** Of several policies of one target the oldest that sets a field decides it. */
const checkTwin = (world: World, policy: CallPolicy, target: Target, key: ObjectKey): readonly Finding[] => {
  const same = world
    .callPolicies(key)
    .filter(({ spec }) =>
      spec.targetRefs.some(
        ({ kind, name, sectionName }) =>
          kind === target.kind && name === target.name && sectionName === target.sectionName,
      ),
    );
  const older = same.slice(
    0,
    same.findIndex((one) => one.key === policy.key),
  );
  return set(policy, [...ROUTE_FIELDS, ...CLUSTER_FIELDS]).flatMap((field) => {
    const owner = older.find(({ spec }) => spec[field] !== undefined);
    if (owner === undefined) return [];
    const message = `no effect on ${target.kind} ${target.name}: CallPolicy ${owner.name} comes first and sets it`;
    return [warning(`spec.${field}`, message)];
  });
};
