import type { ConnectionPool, LocalityLoadBalancer } from './destination-rule.ts';
import type { HttpRetry } from './virtual-service.ts';

/** istio.mesh.v1alpha1 MeshConfig, as far as it is read; conventions as in virtual-service.ts (durations are ms). */
export interface MeshConfigSpec {
  readonly rootNamespace?: string;
  readonly trustDomain?: string;
  readonly trustDomainAliases: readonly string[];
  readonly caCertificates: readonly CaCertificate[];
  readonly outboundTrafficPolicy?: OutboundTrafficPolicy;
  readonly defaultHttpRetryPolicy?: HttpRetry;
  readonly connectTimeout?: number;
  readonly tcpKeepalive?: NonNullable<NonNullable<ConnectionPool['tcp']>['tcpKeepalive']>;
  readonly dnsRefreshRate?: number;
  readonly localityLbSetting?: LocalityLoadBalancer;
  readonly enableAutoMtls?: boolean;
  readonly defaultServiceExportTo: readonly string[];
  readonly defaultVirtualServiceExportTo: readonly string[];
  readonly defaultDestinationRuleExportTo: readonly string[];
  readonly discoverySelectors: readonly LabelSelector[];
  readonly pathNormalization?: { readonly normalization?: PathNormalization };
  /** Empty: none. */
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: 'TEXT' | 'JSON';
}

/** Roots beside the mesh's own (MeshConfig.CertificateData). */
export interface CaCertificate {
  readonly pem?: string;
  readonly spiffeBundleUrl?: string;
  readonly certSigners: readonly string[];
  /** Empty: all of them. */
  readonly trustDomains: readonly string[];
}

export interface OutboundTrafficPolicy {
  readonly mode: 'ALLOW_ANY' | 'REGISTRY_ONLY';
}

export type PathNormalization = 'DEFAULT' | 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';

/** Kubernetes meta/v1: all of it must hold. */
export interface LabelSelector {
  readonly matchLabels: ReadonlyMap<string, string>;
  readonly matchExpressions: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values: readonly string[];
  }[];
}

/** Only the ConfigMap `istio` of the root namespace is read, and of it the key `mesh`. */
export interface ConfigMapSpec {
  readonly data: { readonly mesh?: MeshConfigSpec };
}
