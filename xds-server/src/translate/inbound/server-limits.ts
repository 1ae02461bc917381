import type { Limit } from '../limit/limits.ts';
import { inboundMode } from '../peer-authentication.ts';
import { sidecarFor } from '../sidecar-scope.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { parseInboundName } from './name.ts';
import { inboundSettings } from './settings.ts';

/** What was written about one port of a gRPC server and will not happen as written; it has no fields for it (gRFC A36, A29). */
export const limitsOfServer = (world: World, view: View, name: string): readonly Limit[] => {
  const at = parseInboundName(name);
  if (at === undefined) return [];
  return [...modeLimits(world, view, at.port), ...sidecarLimits(world, view, at)];
};

const EITHER = {
  STRICT:
    'PERMISSIVE: a gRPC server takes either; its label security.istio.io/tlsMode says mutual TLS, so plain text is refused',
  DISABLE: 'PERMISSIVE: a gRPC server takes either; it has no label security.istio.io/tlsMode, so TLS is refused',
} as const;

const modeLimits = (world: World, view: View, port: number): readonly Limit[] => {
  const { mode, decidedBy } = inboundMode(world, view, port);
  if (mode !== 'PERMISSIVE') return [];
  const taken = inboundSettings(world, view, { address: '0.0.0.0', port }).mode;
  if (taken === 'PERMISSIVE') return [];
  const resource = decidedBy === undefined ? '' : `PeerAuthentication ${decidedBy.namespace}/${decidedBy.name}`;
  return [{ resource, fieldPath: decidedBy === undefined ? '' : 'spec.mtls.mode', message: EITHER[taken] }];
};

const sidecarLimits = (
  world: World,
  view: View,
  at: NonNullable<ReturnType<typeof parseInboundName>>,
): readonly Limit[] => {
  const sidecar = sidecarFor(world, view);
  if (sidecar === undefined) return [];
  const resource = `Sidecar ${sidecar.namespace}/${sidecar.name}`;
  const { ingress } = inboundSettings(world, view, at);
  const index = ingress === undefined ? -1 : sidecar.spec.ingress.indexOf(ingress);
  const limits: Limit[] = [];
  const pool = ingress?.connectionPool === undefined ? sidecar.spec.inboundConnectionPool : ingress.connectionPool;
  if (pool !== undefined) {
    const own = ingress?.connectionPool === undefined ? 'inboundConnectionPool' : `ingress[${index}].connectionPool`;
    limits.push({ resource, fieldPath: `spec.${own}`, message: 'a gRPC server has limits of its own' });
  }
  if (ingress?.tls !== undefined) {
    const message = 'a gRPC server has the certificates of its bootstrap alone: mutual TLS of the mesh takes its place';
    limits.push({ resource, fieldPath: `spec.ingress[${index}].tls`, message });
  }
  return limits;
};
