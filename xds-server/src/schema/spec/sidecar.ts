import type { ConnectionPool } from './destination-rule.ts';
import type { OutboundTrafficPolicy } from './mesh-config.ts';

/** networking.istio.io Sidecar; conventions as in virtual-service.ts. */
export interface SidecarSpec {
  /** undefined: the whole namespace, of the root namespace the whole mesh. */
  readonly workloadSelector?: { readonly labels: ReadonlyMap<string, string> };
  /** Empty: everything. */
  readonly egress: readonly SidecarEgress[];
  readonly ingress: readonly SidecarIngress[];
  readonly inboundConnectionPool?: ConnectionPool;
  readonly outboundTrafficPolicy?: OutboundTrafficPolicy;
}

export interface SidecarEgress {
  /** undefined: every port that no other entry names. */
  readonly port?: SidecarPort;
  readonly bind?: string;
  readonly captureMode?: string;
  /** `namespace/host`: namespace is a name, `.`, `*` or `~`, host a name, `*.suffix` or `*`. */
  readonly hosts: readonly string[];
}

export interface SidecarIngress {
  readonly port: SidecarPort;
  readonly bind?: string;
  readonly captureMode?: string;
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPool;
  /** Where the port takes no mTLS: TLS of the service's own. */
  readonly tls?: ServerTls;
}

/** networking.istio.io ServerTLSSettings, as far as a port of a workload has them. */
export interface ServerTls {
  readonly mode: 'SIMPLE' | 'MUTUAL' | 'OPTIONAL_MUTUAL';
  readonly serverCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly caCrl?: string;
  readonly subjectAltNames: readonly string[];
  readonly credentialName?: string;
  readonly verifyCertificateSpki: readonly string[];
  readonly verifyCertificateHash: readonly string[];
  readonly minProtocolVersion?: TlsProtocol;
  readonly maxProtocolVersion?: TlsProtocol;
  readonly cipherSuites: readonly string[];
}

export type TlsProtocol = 'TLS_AUTO' | 'TLSV1_0' | 'TLSV1_1' | 'TLSV1_2' | 'TLSV1_3';

export interface SidecarPort {
  readonly number: number;
  readonly protocol?: string;
  readonly name?: string;
}
