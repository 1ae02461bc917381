import {
  CertificateValidationContext_TrustChainVerification,
  type CertificateValidationContextSchema,
  type ClusterSchema,
  type CommonTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import type { ClientTls } from '../../schema/spec/destination-rule.ts';
import { type ClusterKey, isWildcard, sniName } from '../names.ts';
import { ADS, type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';

type ClusterInit = Fields<typeof ClusterSchema>;
type CommonTlsInit = Fields<typeof CommonTlsContextSchema>;
type ValidationInit = Fields<typeof CertificateValidationContextSchema>;

export interface TlsPeer {
  readonly key: ClusterKey;
  /** subjectAltNames of the service, where the rule names none. */
  readonly serviceNames: readonly string[];
  readonly client: View['kind'];
}

/** DestinationRule tls → transport socket (Istio applyUpstreamTLSSettings); DISABLE and nothing written are plain text. */
export const transportSocket = (
  tls: ClientTls | undefined,
  { key, serviceNames, client }: TlsPeer,
): Pick<ClusterInit, 'transportSocket'> => {
  if (tls === undefined || tls.mode === 'DISABLE') return {};
  const names = tls.subjectAltNames.length > 0 ? tls.subjectAltNames : serviceNames;
  const mutual = client === 'grpc' ? grpcIdentity : meshIdentity;
  const commonTlsContext = tls.mode === 'ISTIO_MUTUAL' ? mutual(names) : originated(tls, names);
  const value = packAny(UpstreamTlsContextSchema, { sni: serverName(tls, key), commonTlsContext });
  return {
    transportSocket: { name: 'envoy.transport_sockets.tls', configType: { case: 'typedConfig', value } },
  };
};

/** A mesh peer is asked for by cluster; anyone else by host name, and a wildcard's name is known only when it is dialled. */
const serverName = (tls: ClientTls, key: ClusterKey): string => {
  if (tls.sni) return tls.sni;
  if (tls.mode === 'ISTIO_MUTUAL') return sniName(key);
  return isWildcard(key.host) ? '' : key.host;
};

/** Certificate and roots come by SDS under Istio's names. */
const meshIdentity = (names: readonly string[]): CommonTlsInit => ({
  alpnProtocols: ['istio-peer-exchange', 'istio'],
  tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: ADS }],
  validationContextType: {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: { matchSubjectAltNames: exact(names) },
      validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: ADS },
    },
  },
});

/** Istio's bootstrap calls its provider `default`. The old fields beside the new: no gRPC client reads both (gRFC A29). */
const grpcIdentity = (names: readonly string[]): CommonTlsInit => {
  const own = { instanceName: 'default', certificateName: 'default' };
  const roots = { instanceName: 'default', certificateName: 'ROOTCA' };
  return {
    tlsCertificateProviderInstance: own,
    tlsCertificateCertificateProviderInstance: own,
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { caCertificateProviderInstance: roots, matchSubjectAltNames: exact(names) },
        validationContextCertificateProviderInstance: roots,
      },
    },
  };
};

const originated = (tls: ClientTls, names: readonly string[]): CommonTlsInit => ({
  ...(tls.mode === 'MUTUAL' ? clientCertificate(tls) : {}),
  validationContextType: tls.credentialName
    ? {
        case: 'combinedValidationContext',
        value: {
          defaultValidationContext: { matchSubjectAltNames: exact(names) },
          // The secret's own roots, never the platform's instead (Istio's `-cacert`).
          validationContextSdsSecretConfig: { name: `kubernetes://${tls.credentialName}-cacert`, sdsConfig: ADS },
        },
      }
    : { case: 'validationContext', value: validation(tls, names) },
});

/** Without a CA of its own: the platform's roots (Istio: `file-root:system`). */
const validation = (tls: ClientTls, names: readonly string[]): ValidationInit => ({
  ...(tls.caCertificates && tls.caCertificates !== 'system'
    ? { trustedCa: { specifier: { case: 'filename', value: tls.caCertificates } } as const }
    : { systemRootCerts: {} }),
  ...(tls.caCrl ? { crl: { specifier: { case: 'filename', value: tls.caCrl } } as const } : {}),
  ...(tls.insecureSkipVerify
    ? { trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED }
    : {}),
  matchSubjectAltNames: exact(names),
});

const clientCertificate = (tls: ClientTls): CommonTlsInit => {
  if (tls.credentialName) {
    return { tlsCertificateSdsSecretConfigs: [{ name: `kubernetes://${tls.credentialName}`, sdsConfig: ADS }] };
  }
  return {
    tlsCertificates: [
      {
        certificateChain: { specifier: { case: 'filename', value: tls.clientCertificate ?? '' } },
        privateKey: { specifier: { case: 'filename', value: tls.privateKey ?? '' } },
      },
    ],
  };
};

const exact = (names: readonly string[]): NonNullable<ValidationInit['matchSubjectAltNames']> =>
  names.map((value) => ({ matchPattern: { case: 'exact', value } }));
