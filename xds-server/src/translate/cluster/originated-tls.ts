import { CertificateValidationContext_TrustChainVerification } from '@inmesh/sdk/internal/gen/tls';
import type { ClientTls } from '../../schema/spec/destination-rule.ts';
import { type CommonTlsInit, exactNames, sdsSecret, TLS_VERSIONS, type ValidationInit } from '../tls/mesh-tls.ts';
import { certificateResource, rootsResource } from '../tls/secret-name.ts';
import type { View } from '../view.ts';

interface OriginationContext {
  /** subjectAltNames of the service, where the rule names none. */
  readonly serviceNames: readonly string[];
  readonly http2: boolean;
  readonly client: View['kind'];
}

/** Modes SIMPLE and MUTUAL: TLS to a server that has no identity of the mesh (Istio constructUpstreamTLS); not for gRPC clients. */
export const originatedTls = (tls: ClientTls, { serviceNames, http2, client }: OriginationContext): CommonTlsInit => {
  const names = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : serviceNames;
  return {
    ...TLS_VERSIONS,
    ...(http2 ? { alpnProtocols: ['h2'] } : {}),
    ...(tls.mode === 'MUTUAL' ? clientCertificate(tls, client) : {}),
    validationContextType: validationContext(tls, names, client),
  };
};

const clientCertificate = (tls: ClientTls, client: View['kind']): CommonTlsInit => {
  if (tls.credentialName) {
    return { tlsCertificateSdsSecretConfigs: [sdsSecret(certificateResource(tls.credentialName), client)] };
  }
  return {
    tlsCertificates: [{ certificateChain: file(tls.clientCertificate ?? ''), privateKey: file(tls.privateKey ?? '') }],
  };
};

const validationContext = (
  tls: ClientTls,
  names: readonly string[],
  client: View['kind'],
): NonNullable<CommonTlsInit['validationContextType']> => {
  // "skip verifying the CA signature and SAN" (ClientTLSSettings.insecureSkipVerify).
  if (tls.insecureSkipVerify) return { case: 'validationContext', value: UNCHECKED };
  if (!tls.credentialName) return { case: 'validationContext', value: byFile(tls, names, client) };
  return {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: { matchSubjectAltNames: exactNames(names) },
      // The secret's own roots, never the platform's instead.
      validationContextSdsSecretConfig: sdsSecret(rootsResource(tls.credentialName), client),
    },
  };
};

const UNCHECKED: ValidationInit = {
  trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED,
};

const byFile = (tls: ClientTls, names: readonly string[], client: View['kind']): ValidationInit => ({
  ...roots(tls, client),
  ...(tls.caCrl ? { crl: file(tls.caCrl) } : {}),
  matchSubjectAltNames: exactNames(names),
});

/**
 * Without a CA of its own, or with `system`, the platform's roots (Istio `file-root:system`, which its agent finds). Envoy has
 * no name for those: without a file it would check nothing.
 */
const roots = ({ caCertificates }: ClientTls, client: View['kind']): ValidationInit => {
  if (caCertificates && caCertificates !== 'system') return { trustedCa: file(caCertificates) };
  return client === 'envoy' ? { trustedCa: file(ENVOY_SYSTEM_ROOTS) } : { systemRootCerts: {} };
};

/** Where Debian, Ubuntu, Alpine and Envoy's own images keep them; an Envoy that has no such file refuses the cluster. */
const ENVOY_SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt';

const file = (filename: string) => ({ specifier: { case: 'filename', value: filename } }) as const;
