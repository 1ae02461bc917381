import { type JsonValue, toJson } from '@bufbuild/protobuf';
import { NodeSchema } from '../../gen/core.js';
import type { DiscoveryStatus, ResourceStatus, ServerStatus } from './discovery.ts';

/**
 * envoy.service.status.v3.ClientConfig in proto3 JSON, as gRPC's clients fill it (gRFC A40). `xds_config` alone is missing:
 * a resource's bytes are dropped once it is decoded.
 */
export interface ClientConfig {
  /** Who we are to the control plane (envoy.config.core.v3.Node). */
  readonly node?: JsonValue;
  readonly genericXdsConfigs: readonly GenericXdsConfig[];
  /** Not Envoy's: the control planes of the bootstrap, in order of preference, and which of them is listened to. */
  readonly servers?: readonly ServerStatus[];
}

/** ClientConfig.GenericXdsConfig. */
export interface GenericXdsConfig {
  readonly typeUrl: string;
  readonly name: string;
  /** Of the version in use. */
  readonly versionInfo?: string;
  /** When the version in use came (RFC 3339). */
  readonly lastUpdated?: string;
  /** envoy.admin.v3.ClientResourceStatus. */
  readonly clientStatus: 'REQUESTED' | 'DOES_NOT_EXIST' | 'ACKED' | 'NACKED' | 'TIMEOUT';
  /** Of the newest version, when it was refused (envoy.admin.v3.UpdateFailureState). */
  readonly errorState?: {
    readonly details: string;
    readonly lastUpdateAttempt?: string;
    readonly versionInfo?: string;
  };
  /** Not Envoy's: what the version in use asks for and does not get. */
  readonly warnings?: readonly string[];
  /** Not Envoy's: when it was sent, where it comes from the snapshot on disk and is not confirmed yet. */
  readonly staleSince?: string;
}

export const clientConfig = ({ node, servers, resources }: DiscoveryStatus): ClientConfig => ({
  node: toJson(NodeSchema, node),
  servers,
  genericXdsConfigs: resources.map(genericConfig),
});

const timeOf = (ms: number): string => new Date(ms).toISOString();

function genericConfig(status: ResourceStatus): GenericXdsConfig {
  const { typeUrl, name, warnings, staleSinceMs } = status;
  return {
    typeUrl,
    name,
    ...outcome(status),
    ...(warnings.length > 0 && { warnings }),
    ...(staleSinceMs !== undefined && { staleSince: timeOf(staleSinceMs) }),
  };
}

function outcome(status: ResourceStatus): Omit<GenericXdsConfig, 'typeUrl' | 'name'> {
  const { state, acceptedMs } = status;
  switch (state.kind) {
    case 'asked':
      return { clientStatus: 'REQUESTED' };
    case 'absent':
      return { clientStatus: 'DOES_NOT_EXIST' };
    case 'late':
      return { clientStatus: 'TIMEOUT' };
    case 'rejected':
      return { clientStatus: 'NACKED', ...refusal(status, state.reason) };
    case 'present': {
      const held = {
        versionInfo: state.version,
        ...(acceptedMs !== undefined && { lastUpdated: timeOf(acceptedMs) }),
      };
      if (state.rejected === undefined) return { clientStatus: 'ACKED', ...held };
      return { clientStatus: 'NACKED', ...held, ...refusal(status, state.rejected) };
    }
  }
}

const refusal = ({ refused }: ResourceStatus, details: string): Pick<GenericXdsConfig, 'errorState'> => ({
  errorState: {
    details,
    ...(refused && { lastUpdateAttempt: timeOf(refused.atMs), versionInfo: refused.version }),
  },
});
