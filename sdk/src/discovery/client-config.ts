import type { DiscoveryStatus, ResourceStatus } from './discovery.ts';

/** envoy.service.status.v3.ClientConfig in proto3 JSON, as far as a client without the resources' bytes can tell. */
export interface ClientConfig {
  readonly genericXdsConfigs: readonly GenericXdsConfig[];
}

/** ClientConfig.GenericXdsConfig. */
export interface GenericXdsConfig {
  readonly typeUrl: string;
  readonly name: string;
  /** Of the version in use. */
  readonly versionInfo?: string;
  readonly clientStatus: 'REQUESTED' | 'DOES_NOT_EXIST' | 'ACKED' | 'NACKED';
  /** Of the newest version, when it was refused. */
  readonly errorState?: { readonly details: string };
  /** Not Envoy's: what the version in use asks for and does not get. */
  readonly warnings?: readonly string[];
  /** Not Envoy's: when it was sent, where it comes from the snapshot on disk and is not confirmed yet. */
  readonly staleSince?: string;
}

export const clientConfig = ({ resources }: DiscoveryStatus): ClientConfig => ({
  genericXdsConfigs: resources.map(genericConfig),
});

function genericConfig({ typeUrl, name, state, warnings, staleSinceMs }: ResourceStatus): GenericXdsConfig {
  return {
    typeUrl,
    name,
    ...outcome(state),
    ...(warnings.length > 0 && { warnings }),
    ...(staleSinceMs !== undefined && { staleSince: new Date(staleSinceMs).toISOString() }),
  };
}

function outcome(
  state: ResourceStatus['state'],
): Pick<GenericXdsConfig, 'versionInfo' | 'clientStatus' | 'errorState'> {
  switch (state.kind) {
    case 'asked':
      return { clientStatus: 'REQUESTED' };
    case 'absent':
      return { clientStatus: 'DOES_NOT_EXIST' };
    case 'rejected':
      return { clientStatus: 'NACKED', errorState: { details: state.reason } };
    case 'present':
      if (state.rejected === undefined) return { clientStatus: 'ACKED', versionInfo: state.version };
      return { clientStatus: 'NACKED', versionInfo: state.version, errorState: { details: state.rejected } };
  }
}
