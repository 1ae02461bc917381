import type { FilterChainSchema } from '@inmesh/sdk/internal/gen/listener';
import { DownstreamTlsContextSchema, TlsParameters_TlsProtocol } from '@inmesh/sdk/internal/gen/tls';
import type { ServerTls, TlsProtocol } from '../../schema/spec/sidecar.ts';
import { type Fields, packAny } from '../proto.ts';
import {
  type CommonTlsInit,
  exactNames,
  grpcIdentity,
  meshIdentity,
  namePrefixes,
  sdsSecret,
  TLS_VERSIONS,
  type ValidationInit,
} from '../tls/mesh-tls.ts';
import { certificateResource, rootsResource } from '../tls/secret-name.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';

type SocketInit = NonNullable<Fields<typeof FilterChainSchema>['transportSocket']>;

const socket = (commonTlsContext: CommonTlsInit, requireClientCertificate: boolean): SocketInit => ({
  name: 'envoy.transport_sockets.tls',
  configType: {
    case: 'typedConfig',
    value: packAny(DownstreamTlsContextSchema, { commonTlsContext, requireClientCertificate }),
  },
});

/** Istio util.ALPNHttp: the marks of the mesh are left out, or they would be agreed on instead of the protocol. */
const ALPN = ['h2', 'http/1.1'];
/** Node refuses a client that offers nothing it knows, an Envoy without HTTP/2 offers Istio's names alone. */
const ALPN_SDK = [...ALPN, 'istio'];

/** Who calls proves a name in the mesh's trust domain or one of its aliases (Istio BuildInboundTLS). */
export const meshServerTls = (world: World, { kind }: View): SocketInit => {
  // Names of clients are no field of gRPC's servers (gRFC A29).
  if (kind === 'grpc') return socket(grpcIdentity([]), true);
  const { trustDomain, trustDomainAliases } = world.mesh();
  const names = [...new Set([trustDomain, ...trustDomainAliases])].map((domain) => `spiffe://${domain}/`);
  return socket(meshIdentity(namePrefixes(names), kind === 'sdk' ? ALPN_SDK : ALPN, kind), true);
};

/** Sidecar.ingress.tls: whoever trusts the service's own certificate may call (Istio BuildListenerTLSContext). */
export const ownServerTls = (tls: ServerTls, { kind }: View): SocketInit =>
  socket(
    {
      ...versions(tls),
      alpnProtocols: ALPN,
      ...serverCertificate(tls, kind),
      ...(tls.mode === 'SIMPLE' ? {} : { validationContextType: clientValidation(tls, kind) }),
    },
    tls.mode === 'MUTUAL',
  );

const serverCertificate = (tls: ServerTls, client: View['kind']): CommonTlsInit => {
  if (tls.credentialName !== undefined) {
    return { tlsCertificateSdsSecretConfigs: [sdsSecret(certificateResource(tls.credentialName), client)] };
  }
  return {
    tlsCertificates: [{ certificateChain: file(tls.serverCertificate ?? ''), privateKey: file(tls.privateKey ?? '') }],
  };
};

const clientValidation = (
  tls: ServerTls,
  client: View['kind'],
): NonNullable<CommonTlsInit['validationContextType']> => {
  const expected: ValidationInit = {
    matchSubjectAltNames: exactNames(tls.subjectAltNames),
    verifyCertificateSpki: [...tls.verifyCertificateSpki],
    verifyCertificateHash: [...tls.verifyCertificateHash],
  };
  if (tls.credentialName === undefined) {
    const value = {
      ...expected,
      trustedCa: file(tls.caCertificates ?? ''),
      ...(tls.caCrl !== undefined && { crl: file(tls.caCrl) }),
    };
    return { case: 'validationContext', value };
  }
  return {
    case: 'combinedValidationContext',
    value: {
      defaultValidationContext: expected,
      validationContextSdsSecretConfig: sdsSecret(rootsResource(tls.credentialName), client),
    },
  };
};

const PROTOCOLS: Readonly<Record<TlsProtocol, TlsParameters_TlsProtocol>> = {
  TLS_AUTO: TlsParameters_TlsProtocol.TLS_AUTO,
  TLSV1_0: TlsParameters_TlsProtocol.TLSv1_0,
  TLSV1_1: TlsParameters_TlsProtocol.TLSv1_1,
  TLSV1_2: TlsParameters_TlsProtocol.TLSv1_2,
  TLSV1_3: TlsParameters_TlsProtocol.TLSv1_3,
};

const versions = (tls: ServerTls): Pick<CommonTlsInit, 'tlsParams'> => ({
  tlsParams: {
    ...TLS_VERSIONS.tlsParams,
    ...(tls.minProtocolVersion && { tlsMinimumProtocolVersion: PROTOCOLS[tls.minProtocolVersion] }),
    ...(tls.maxProtocolVersion && { tlsMaximumProtocolVersion: PROTOCOLS[tls.maxProtocolVersion] }),
    cipherSuites: [...tls.cipherSuites],
  },
});

const file = (filename: string) => ({ specifier: { case: 'filename', value: filename } }) as const;
