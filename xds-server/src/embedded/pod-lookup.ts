import type { Principal } from '../auth/principal.ts';
import type { PodLookup } from '../ca/impersonation.ts';
import type { PodReads } from '../registry/pods.ts';

/** The Pods of the configuration, for who asks for certificates of the others on its node. */
export const podLookupOf = (pods: PodReads): PodLookup => ({
  pod(namespace, name) {
    const found = pods.pod(namespace, name);
    return Promise.resolve(found && { uid: found.uid, serviceAccount: found.serviceAccount, node: found.node });
  },
  runsOn: (node, namespace, serviceAccount) =>
    Promise.resolve(
      pods.podsOn(node).some((pod) => pod.namespace === namespace && pod.serviceAccount === serviceAccount),
    ),
});

/** Of the Pod that was proven, where it is known; undefined: nothing is known that what it says could be held against. */
export function podLabels(pods: PodReads, principal: Principal | undefined): ReadonlyMap<string, string> | undefined {
  if (principal?.pod === undefined) return undefined;
  const found = pods.pod(principal.namespace, principal.pod.name);
  const isSame = found?.uid === undefined || found.uid === principal.pod.uid;
  return isSame && found?.serviceAccount === principal.serviceAccount ? found.labels : undefined;
}
