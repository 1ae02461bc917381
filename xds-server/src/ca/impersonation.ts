import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';
import type { Principal } from '../auth/principal.ts';

/** What is known of the cluster's pods. */
export interface PodLookup {
  /** undefined: there is no such pod. */
  pod(namespace: string, name: string): Promise<PodFacts | undefined>;
  /** Whether a pod that has not ended runs there as this service account. */
  runsOn(node: string, namespace: string, serviceAccount: string): Promise<boolean>;
}

export interface PodFacts {
  /** undefined: not known here; then only a token that is bound to the Pod's node proves that it is this Pod. */
  readonly uid: string | undefined;
  readonly serviceAccount: string;
  /** undefined: not placed yet. */
  readonly node?: string | undefined;
}

/** Istio CA_TRUSTED_NODE_ACCOUNTS: who may ask for certificates of the workloads on its own node. */
export interface ImpersonationPolicy {
  /** `namespace/service-account`. */
  readonly nodeAgents: ReadonlySet<string>;
  readonly pods: PodLookup;
}

export interface Impersonation {
  readonly policy: ImpersonationPolicy | undefined;
  readonly wanted: string;
  readonly principal: Principal;
  readonly trustDomain: string;
}

/** Why a certificate of somebody else is not issued, for the audit log; undefined where it is (istiod's NodeAuthorizer). */
export async function impersonationFault({
  policy,
  wanted,
  principal,
  trustDomain,
}: Impersonation): Promise<string | undefined> {
  const agent = `${principal.namespace}/${principal.serviceAccount}`;
  if (policy === undefined) return 'nobody may ask for the certificates of others here';
  if (!policy.nodeAgents.has(agent) || principal.trustDomain !== trustDomain) return `${agent} is no node agent`;
  const id = parseSpiffeId(wanted);
  if (typeof id === 'string') return `the wanted identity is no SPIFFE ID: ${id}`;
  if (id.trustDomain !== trustDomain || id.workload === undefined || id.uri !== wanted)
    return `the wanted identity is no workload of ${trustDomain}`;
  const { pod } = principal;
  if (pod === undefined) return `${agent} proved no pod, so its node is not known`;
  const found = await policy.pods.pod(principal.namespace, pod.name);
  if (found === undefined) return `pod ${principal.namespace}/${pod.name} is not there`;
  // A pod of the same name that came later may stand on another node.
  if (found.uid === undefined ? principal.node === undefined : found.uid !== pod.uid)
    return `pod ${principal.namespace}/${pod.name} is another one by now`;
  if (found.serviceAccount !== principal.serviceAccount)
    return `pod ${principal.namespace}/${pod.name} runs as ${found.serviceAccount}`;
  if (found.node === undefined) return `pod ${principal.namespace}/${pod.name} is on no node`;
  // What the API server itself has bound the token to (KEP-4193).
  if (principal.node !== undefined && principal.node !== found.node)
    return `pod ${principal.namespace}/${pod.name} is on node ${found.node}, its token was made for ${principal.node}`;
  const { namespace, serviceAccount } = id.workload;
  if (await policy.pods.runsOn(found.node, namespace, serviceAccount)) return undefined;
  return `nothing runs as ${namespace}/${serviceAccount} on node ${found.node}`;
}
