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
}

export interface SidecarPort {
  readonly number: number;
  readonly protocol?: string;
  readonly name?: string;
}
