import type { ClientTls } from '../../schema/spec/destination-rule.ts';
import { type CommonTlsInit, exactNames } from '../tls/mesh-tls.ts';
import type { View } from '../view.ts';

/**
 * TLS to a server that has no identity of the mesh: a gRPC client has no files, no Secrets and no way not to verify (gRFC A29), and
 * the platform's roots only where it knows them (A82). It checks no host name by itself, so the server's is among what it must
 * find. undefined: it cannot be told, and is not sent there in clear text instead.
 */
export const grpcOrigination = (
  tls: ClientTls,
  { serverName, serviceNames }: { readonly serverName: string; readonly serviceNames: readonly string[] },
  { abilities = [] }: View,
): CommonTlsInit | undefined => {
  const { caCertificates, credentialName, caCrl, insecureSkipVerify } = tls;
  const isPlatform = !caCertificates || caCertificates === 'system';
  const isMore = tls.mode === 'MUTUAL' || credentialName || caCrl || insecureSkipVerify;
  if (!abilities.includes('systemRoots') || !isPlatform || isMore) return undefined;
  const written = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : serviceNames;
  const names = written.length > 0 || serverName === '' ? written : [serverName];
  if (names.length === 0) return undefined;
  return {
    validationContextType: {
      case: 'validationContext',
      value: { systemRootCerts: {}, matchSubjectAltNames: exactNames(names) },
    },
  };
};
