import type { Workload } from '../../registry/read-model.ts';
import { takesMutualTls } from '../../registry/tls-mode.ts';
import { inboundMode, isSelective, policiesFor } from '../peer-authentication.ts';
import { sortedEntries } from '../sorted.ts';
import { selects } from '../view.ts';
import type { PeerAuthentication, World } from '../world.ts';
import { type Finding, warning } from './finding.ts';
import { listed } from './listed.ts';

/** What of a PeerAuthentication will not happen as written, and whom it shuts out. */
export const checkPeerAuthentication = (world: World, policy: PeerAuthentication): readonly Finding[] => {
  if (world.mesh().plaintext) {
    return [warning('spec', 'no effect: the control plane runs with --plaintext, nobody has an identity')];
  }
  const workloads = isSelective(policy) ? selected(world, policy) : everyone(world, policy);
  return [
    ...checkTwin(world, policy, workloads),
    ...checkSelector(world, policy, workloads),
    ...checkIdentities(world, policy, workloads),
  ];
};

/** The root namespace speaks for all. */
const everyone = (world: World, { namespace }: PeerAuthentication): readonly Workload[] => {
  const isRoot = namespace === world.mesh().rootNamespace;
  return (isRoot ? world.workloadNamespaces() : [namespace]).flatMap((one) => world.workloads(one));
};

const selected = (world: World, policy: PeerAuthentication): readonly Workload[] =>
  everyone(world, policy).filter(({ labels }) => selects(policy.spec.selector?.matchLabels ?? new Map(), labels));

const nameOf = ({ namespace, name }: PeerAuthentication): string => `PeerAuthentication ${namespace}/${name}`;

/** The oldest counts; which it is must not depend on the order of files. */
const checkTwin = (world: World, policy: PeerAuthentication, workloads: readonly Workload[]): readonly Finding[] => {
  if (!isSelective(policy)) {
    const first = world.peerAuthentications(policy.namespace).find((one) => !isSelective(one));
    if (first === undefined || first.key === policy.key) return [];
    const scope = policy.namespace === world.mesh().rootNamespace ? 'mesh' : 'namespace';
    return [warning('spec', `no effect: ${nameOf(first)} comes first for the whole ${scope}, want a selector`)];
  }
  const same = world.peerAuthentications(policy.namespace).find((one) => isSelective(one) && sameSelector(one, policy));
  if (same !== undefined && same.key !== policy.key) {
    return [warning('spec', `no effect: ${nameOf(same)} comes first with the same selector`)];
  }
  const lost = workloads.flatMap((workload) => {
    const owner = policiesFor(world, workload).findLast(isSelective);
    return owner === undefined || owner.key === policy.key ? [] : [{ workload, owner }];
  });
  const [first] = lost;
  if (first === undefined) return [];
  const message = `no effect on ${listed(lost.map(({ workload }) => workload.name))}: ${nameOf(first.owner)} comes first and selects them too`;
  return [warning('spec.selector', message)];
};

const sameSelector = (a: PeerAuthentication, b: PeerAuthentication): boolean =>
  textOf(a.spec.selector?.matchLabels) === textOf(b.spec.selector?.matchLabels);

const textOf = (labels: ReadonlyMap<string, string> = new Map()): string => JSON.stringify(sortedEntries(labels));

/** Where nothing runs yet, nobody can say. */
const checkSelector = (
  world: World,
  policy: PeerAuthentication,
  workloads: readonly Workload[],
): readonly Finding[] => {
  if (!isSelective(policy) || workloads.length > 0 || everyone(world, policy).length === 0) return [];
  return [warning('spec.selector', `no effect: no workload of namespace ${policy.namespace} has these labels`)];
};

/** Whoever cannot prove who he is cannot take mTLS either; callers send him clear text, and STRICT refuses that. */
const checkIdentities = (
  world: World,
  policy: PeerAuthentication,
  workloads: readonly Workload[],
): readonly Finding[] => {
  const without = workloads.filter(({ labels }) => !takesMutualTls(labels));
  const check = (port: number, path: string): readonly Finding[] => {
    const shut = without.filter((workload) => {
      const { mode, decidedBy } = inboundMode(world, workload, port);
      return mode === 'STRICT' && decidedBy?.key === policy.key;
    });
    if (shut.length === 0) return [];
    const who = listed(shut.map(({ name }) => name));
    const message = `STRICT, but nobody vouches that these take mTLS (label security.istio.io/tlsMode: istio): ${who}; callers send them clear text, which is refused`;
    return [warning(path, message)];
  };
  const { mtls, portLevelMtls } = policy.spec;
  const ports = [...portLevelMtls].filter(([, { mode }]) => mode === 'STRICT');
  return [
    ...(mtls?.mode === 'STRICT' ? check(NO_PORT, 'spec.mtls.mode') : []),
    ...ports.flatMap(([port]) => check(Number(port), `spec.portLevelMtls["${port}"].mode`)),
  ];
};

/** No entry is for it. */
const NO_PORT = 0;
