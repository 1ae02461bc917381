import type { Secured } from '@inmesh/sdk/internal/identity/peer-check';
import { isNamespace, isServiceAccount, type Proof, refuse } from './principal.ts';

/** What a client's certificate proves here, once it was verified; undefined: there was none. */
export function certificateProof({ peer, certificate }: Secured, trustDomain: string): Proof | undefined {
  if (certificate === undefined) return undefined;
  const { namespace = '', serviceAccount = '' } = peer?.workload ?? {};
  // A federated workload is known by its own control plane.
  if (peer?.trustDomain !== trustDomain)
    return refuse(
      'certificate',
      `certificate: it is of trust domain ${peer?.trustDomain ?? 'none'}, want ${trustDomain}`,
    );
  if (!isNamespace(namespace) || !isServiceAccount(serviceAccount))
    return refuse(
      'certificate',
      'certificate: want a SPIFFE ID of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT',
    );
  return {
    kind: 'workload',
    trustDomain,
    namespace,
    serviceAccount,
    via: 'certificate',
    expiresAtMs: certificate.validToDate.getTime(),
  };
}
