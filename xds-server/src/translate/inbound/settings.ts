import { takesMutualTls } from '../../registry/tls-mode.ts';
import type { ConnectionPool } from '../../schema/spec/destination-rule.ts';
import type { ServerTls, SidecarIngress } from '../../schema/spec/sidecar.ts';
import { type InboundMode, inboundMode } from '../peer-authentication.ts';
import { sidecarFor } from '../sidecar-scope.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { type InboundAddress, isEveryInterface } from './name.ts';

/** What was written about one port of a workload. */
export interface InboundSettings extends InboundMode {
  readonly pool: ConnectionPool | undefined;
  /** TLS of the service's own, where the port takes no mTLS. */
  readonly tls: ServerTls | undefined;
  readonly ingress: SidecarIngress | undefined;
}

export const inboundSettings = (world: World, view: View, at: InboundAddress): InboundSettings => {
  const sidecar = sidecarFor(world, view)?.spec;
  const ingress = sidecar?.ingress.find((entry) => entry.port.number === at.port && listensOn(entry, at));
  const decision = inboundMode(world, view, at.port);
  const mode = view.kind === 'grpc' ? grpcMode(decision, view, ingress?.tls !== undefined) : decision.mode;
  return {
    ...decision,
    mode,
    // The port's own replaces the workload's (Sidecar.inboundConnectionPool).
    pool: ingress?.connectionPool ?? sidecar?.inboundConnectionPool,
    tls: mode === 'DISABLE' ? ingress?.tls : undefined,
    ingress,
  };
};

const listensOn = ({ bind }: SidecarIngress, { address }: InboundAddress): boolean =>
  bind === undefined || isEveryInterface(bind) || isEveryInterface(address) || bind.toLowerCase() === address;

/**
 * A gRPC server takes either TLS or clear text; the label says which its clients were told (Istio grpcgen buildInboundFilterChains).
 * Of TLS it has the mesh's alone (gRFC A29): what asked for another is not served in clear for that.
 */
const grpcMode = ({ mode }: InboundMode, { labels }: View, hasOwnTls: boolean): InboundMode['mode'] => {
  if (mode === 'DISABLE' && hasOwnTls) return 'STRICT';
  if (mode !== 'PERMISSIVE') return mode;
  return takesMutualTls(labels) ? 'STRICT' : 'DISABLE';
};
