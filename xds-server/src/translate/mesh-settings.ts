import { defaultOf } from '../defaults.ts';
import type { LocalityLoadBalancer } from '../schema/spec/destination-rule.ts';
import type {
  CaCertificate,
  LabelSelector,
  MeshConfigSpec,
  OutboundTrafficPolicy,
  PathNormalization,
} from '../schema/spec/mesh-config.ts';

/** Istio's API reference counts retries, much of what is written about it counts calls. */
export type RetryAttempts = 'retries' | 'calls';

/** What is said when the control plane is started, not in the MeshConfig. */
export interface MeshOptions {
  readonly retryAttempts?: RetryAttempts | undefined;
  /** No identities, no TLS between workloads, whatever PeerAuthentications say. */
  readonly plaintext?: boolean | undefined;
  /** How often gRPC clients report the load of each cluster; undefined: they are not asked. */
  readonly loadReportingIntervalMs?: number | undefined;
}

/** What is the same for the whole mesh: Istio's MeshConfig with its defaults. */
export interface MeshSettings {
  /** Its DestinationRules and Sidecars are the last resort of every namespace. */
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  /** Roots beside the mesh's own. */
  readonly caCertificates: readonly CaCertificate[];
  /** undefined: whatever each client was told by its bootstrap. */
  readonly outboundTrafficPolicy: OutboundTrafficPolicy['mode'] | undefined;
  /** What `attempts: N` means: N retries after the first call, or N calls with it. */
  readonly retryAttempts: RetryAttempts;
  readonly defaultHttpRetryPolicy: MeshConfigSpec['defaultHttpRetryPolicy'];
  readonly connectTimeoutMs: number;
  readonly dnsRefreshMs: number;
  readonly tcpKeepalive: MeshConfigSpec['tcpKeepalive'];
  /** undefined: switched off. */
  readonly localityLbSetting: LocalityLoadBalancer | undefined;
  /** TLS towards who takes it, where no rule says otherwise. */
  readonly enableAutoMtls: boolean;
  /** No identities, no TLS between workloads, whatever PeerAuthentications say. */
  readonly plaintext: boolean;
  /** gRPC clients are asked to report the load of their clusters to the control plane (LRS). */
  readonly loadReporting: boolean;
  /** Of objects that do not write exportTo; empty: public. */
  readonly exportTo: Readonly<Record<'service' | 'virtualService' | 'destinationRule', readonly string[]>>;
  /** Namespaces that belong to the mesh: any one of them must hold; empty: all. */
  readonly discoverySelectors: readonly LabelSelector[];
  readonly pathNormalization: PathNormalization;
  readonly accessLog: Pick<MeshConfigSpec, 'accessLogFile' | 'accessLogFormat' | 'accessLogEncoding'>;
}

export const meshSettings = (
  config?: MeshConfigSpec,
  { retryAttempts = 'retries', plaintext = false, loadReportingIntervalMs }: MeshOptions = {},
): MeshSettings => ({
  rootNamespace: config?.rootNamespace ?? 'istio-system',
  trustDomain: config?.trustDomain ?? 'cluster.local',
  trustDomainAliases: config?.trustDomainAliases ?? [],
  caCertificates: config?.caCertificates ?? [],
  outboundTrafficPolicy: config?.outboundTrafficPolicy?.mode,
  retryAttempts,
  defaultHttpRetryPolicy: config?.defaultHttpRetryPolicy,
  connectTimeoutMs: config?.connectTimeout ?? defaultOf('connectTimeoutMs'),
  dnsRefreshMs: config?.dnsRefreshRate ?? defaultOf('dnsRefreshMs'),
  tcpKeepalive: config?.tcpKeepalive,
  localityLbSetting: localityOf(config?.localityLbSetting),
  enableAutoMtls: !plaintext && (config?.enableAutoMtls ?? true),
  plaintext,
  loadReporting: loadReportingIntervalMs !== undefined,
  exportTo: {
    service: config?.defaultServiceExportTo ?? [],
    virtualService: config?.defaultVirtualServiceExportTo ?? [],
    destinationRule: config?.defaultDestinationRuleExportTo ?? [],
  },
  discoverySelectors: config?.discoverySelectors ?? [],
  pathNormalization: config?.pathNormalization?.normalization ?? 'DEFAULT',
  accessLog: {
    ...(config?.accessLogFile && { accessLogFile: config.accessLogFile }),
    ...(config?.accessLogFormat && { accessLogFormat: config.accessLogFormat }),
    ...(config?.accessLogEncoding && { accessLogEncoding: config.accessLogEncoding }),
  },
});

/** Balancing by locality is on unless it is written off (MeshConfig.localityLbSetting.enabled defaults to true). */
const localityOf = (setting: LocalityLoadBalancer | undefined): LocalityLoadBalancer | undefined =>
  setting?.enabled === false ? undefined : (setting ?? NO_PREFERENCE);

const NO_PREFERENCE: LocalityLoadBalancer = { distribute: [], failover: [], failoverPriority: [] };

export const MESH_DEFAULTS: MeshSettings = meshSettings();

/** Kubernetes selector semantics (metav1 LabelSelectorAsSelector). */
export const selectorMatches = (selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean => {
  for (const [key, value] of selector.matchLabels) if (labels.get(key) !== value) return false;
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels.get(key);
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      default:
        return value === undefined;
    }
  });
};
