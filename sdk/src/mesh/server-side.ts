import type { Clock } from '../clock.ts';
import type { TlsContexts } from '../identity/tls-contexts.ts';
import type { EventSink } from '../model/events.ts';
import type { InboundListener } from '../model/inbound.ts';
import type { Registration } from '../options.ts';

/** What a guard needs of its mesh; `mesh.ts` gives it, tests give values. */
export interface MeshSide {
  readonly clock: Clock;
  readonly emit: EventSink;
  /** There is a control plane: it says how connections are taken. */
  readonly isOn: boolean;
  /** Told at once when it is known already, and at each change; undefined: the control plane knows nothing of this port. */
  watchInbound(address: string, port: number, listener: (found: InboundListener | undefined) => void): () => void;
  /** TLS of this process. Resolves before anything is known of an identity. */
  tls(): Promise<Pick<TlsContexts, 'server'>>;
  /** Resolves once there is an identity; rejects with MESH_IDENTITY_UNAVAILABLE. */
  identityReady(timeoutMs: number): Promise<unknown>;
  /** After each change of roots or revocation lists. */
  onTrustChange(listener: () => void): () => void;
  register(registration: Registration): void;
  unregister(registration: Registration): void;
  metrics(): Promise<string>;
}

/** Under a versioned symbol: a mesh of one copy of the package may be guarded by another. */
export const MESH_SIDE: unique symbol = Symbol.for('inmesh.server-side.1') as never;

/** A mesh as a guard sees it. */
export interface Guarding {
  readonly [MESH_SIDE]: MeshSide;
}
