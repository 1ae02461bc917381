import {
  type CertificateValidationContextSchema,
  type CommonTlsContextSchema,
  TlsParameters_TlsProtocol,
} from '@inmesh/sdk/internal/gen/tls';
import { ADS, type Fields } from '../proto.ts';
import type { View } from '../view.ts';

export type CommonTlsInit = Fields<typeof CommonTlsContextSchema>;
export type ValidationInit = Fields<typeof CertificateValidationContextSchema>;
type SecretInit = NonNullable<CommonTlsInit['tlsCertificateSdsSecretConfigs']>[number];
type NamesInit = NonNullable<ValidationInit['matchSubjectAltNames']>;

/** The workload's own certificate, and the roots of the mesh (Istio SDSDefaultResourceName, SDSRootResourceName). */
const OWN = 'default';
export const ROOTS = 'ROOTCA';

/** A secret on the same stream, which for the SDK goes without saying. */
export const sdsSecret = (name: string, client: View['kind']): SecretInit =>
  client === 'sdk' ? { name } : { name, sdsConfig: ADS };

/** Istio defaultUpstreamCommonTLSContext, BuildInboundTLS. */
export const TLS_VERSIONS: Pick<CommonTlsInit, 'tlsParams'> = {
  tlsParams: {
    tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
    tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
  },
};

export const exactNames = (names: readonly string[]): NamesInit =>
  names.map((value) => ({ matchPattern: { case: 'exact', value } }));

export const namePrefixes = (prefixes: readonly string[]): NamesInit =>
  prefixes.map((value) => ({ matchPattern: { case: 'prefix', value } }));

/** Certificate and roots come by SDS under Istio's names. */
export const meshIdentity = (
  names: NamesInit,
  alpnProtocols: readonly string[],
  client: View['kind'],
): CommonTlsInit => ({
  ...TLS_VERSIONS,
  alpnProtocols: [...alpnProtocols],
  tlsCertificateSdsSecretConfigs: [sdsSecret(OWN, client)],
  validationContextType: {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: { matchSubjectAltNames: names },
      validationContextSdsSecretConfig: sdsSecret(ROOTS, client),
    },
  },
});

/**
 * Istio's bootstrap calls its provider `default`. The old fields beside the new: no gRPC client reads both (gRFC A29), and
 * every one refuses SDS and TLS versions.
 */
export const grpcIdentity = (names: readonly string[]): CommonTlsInit => {
  const own = { instanceName: 'default', certificateName: OWN };
  const roots = { instanceName: 'default', certificateName: ROOTS };
  return {
    tlsCertificateProviderInstance: own,
    tlsCertificateCertificateProviderInstance: own,
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { caCertificateProviderInstance: roots, matchSubjectAltNames: exactNames(names) },
        validationContextCertificateProviderInstance: roots,
      },
    },
  };
};
