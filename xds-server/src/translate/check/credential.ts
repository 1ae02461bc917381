import { credentialOf, rootsOf } from '../tls/credentials.ts';
import { certificateResource, rootsResource, secretRef } from '../tls/secret-name.ts';
import type { Secret, World } from '../world.ts';
import type { Finding } from './finding.ts';

export type CredentialPart = 'certificate' | 'roots';

/** A credentialName that leads nowhere in the namespace it was written in; every client looks in its own. */
export const checkCredential = (
  world: World,
  namespace: string,
  credentialName: string | undefined,
  needs: readonly CredentialPart[],
): readonly Omit<Finding, 'fieldPath'>[] => {
  if (!credentialName) return [];
  const find = (resource: string): Secret | undefined =>
    secretRef(resource, namespace)?.names.flatMap((name) => world.secret(namespace, name) ?? [])[0];
  const title = `Secret ${namespace}/${credentialName}`;
  const lost = 'calls of this namespace fail';
  const problem = (message: string) => ({ severity: 'warning', message }) as const;
  const certificate = find(certificateResource(credentialName));
  const roots = find(rootsResource(credentialName));
  if (certificate === undefined && roots === undefined) {
    return [problem(`there is no ${title} of certificates (kubernetes.io/tls, or generic with Istio's keys): ${lost}`)];
  }
  const findings = [];
  if (needs.includes('certificate') && (certificate === undefined || credentialOf(certificate) === undefined)) {
    findings.push(problem(`${title} has no certificate with its key (tls.crt and tls.key, or cert and key): ${lost}`));
  }
  if (needs.includes('roots') && (roots === undefined || rootsOf(roots) === undefined)) {
    findings.push(problem(`${title} has no roots (ca.crt or cacert), nor is there a ${title}-cacert: ${lost}`));
  }
  return findings;
};
