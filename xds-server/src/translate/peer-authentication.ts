import type { MutualTls } from '../schema/spec/peer-authentication.ts';
import { byAge } from './rule-order.ts';
import { selects } from './view.ts';
import type { PeerAuthentication, World } from './world.ts';

export interface InboundMode {
  readonly mode: 'DISABLE' | 'PERMISSIVE' | 'STRICT';
  /** undefined: nobody said anything. */
  readonly decidedBy: PeerAuthentication | undefined;
}

/** One that runs, as policies see it. */
interface Subject {
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
}

const DEFAULT: InboundMode = { mode: 'PERMISSIVE', decidedBy: undefined };
const IN_CLEAR: InboundMode = { mode: 'DISABLE', decidedBy: undefined };

const labelsOf = ({ spec }: PeerAuthentication): ReadonlyMap<string, string> => spec.selector?.matchLabels ?? new Map();

export const isSelective = (policy: PeerAuthentication): boolean => labelsOf(policy).size > 0;

/** The policies of a workload from the widest to its own, at most one of each kind; the oldest counts (Istio ComposePeerAuthentication). */
export const policiesFor = (world: World, { namespace, labels }: Subject): readonly PeerAuthentication[] => {
  const { rootNamespace } = world.mesh();
  const root = world.peerAuthentications(rootNamespace);
  const own = namespace === rootNamespace ? [] : world.peerAuthentications(namespace);
  if (root.length === 0 && own.length === 0) return [];
  const wide = (policies: readonly PeerAuthentication[]) => policies.find((policy) => !isSelective(policy));
  // With a selector the root namespace's apply to workloads everywhere (PeerAuthentication.selector).
  const selecting = [...root, ...own]
    .filter((policy) => isSelective(policy) && selects(labelsOf(policy), labels))
    .sort(byAge)[0];
  return [wide(root), wide(own), selecting].filter((policy) => policy !== undefined);
};

/** What the workload takes on a port of its own: workload > namespace > mesh, UNSET as the level above says, else PERMISSIVE. */
export const inboundMode = (world: World, subject: Subject, port: number): InboundMode => {
  if (world.mesh().plaintext) return IN_CLEAR;
  let decision = DEFAULT;
  const apply = (written: MutualTls | undefined, decidedBy: PeerAuthentication): void => {
    if (written !== undefined && written.mode !== 'UNSET') decision = { mode: written.mode, decidedBy };
  };
  for (const policy of policiesFor(world, subject)) {
    apply(policy.spec.mtls, policy);
    if (isSelective(policy)) apply(policy.spec.portLevelMtls.get(String(port)), policy);
  }
  return decision;
};
