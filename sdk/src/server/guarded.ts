import type { AddressInfo, ListenOptions } from 'node:net';
import type { NodeServer } from './app-server.ts';
import type { DoorReason } from './door.ts';

/** A server behind the mesh's door. */
export interface Guarded extends AsyncDisposable {
  /** The application's own server. */
  readonly server: NodeServer;
  /**
   * Waits until it is known how connections are taken, and for an identity where none could be taken without, then listens.
   * Rejects with MESH_IDENTITY_UNAVAILABLE, or as `listen` of Node's would.
   */
  listen(port?: number | ListenOptions): Promise<AddressInfo>;
  /** The same wait for a server that a framework lets listen. */
  ready(): Promise<void>;
  /** What `/healthz/ready` says: why it is not ready; undefined: it is. */
  unready(): string | undefined;
  /** Told after each change of what `unready` says. Returns its end. */
  onServingChange(listener: () => void): () => void;
  /** Connections and requests of now, and how many connections were refused, by reason. */
  stats(): GuardStats;
  /** Not ready, out of the mesh, no new connections; what is under way may take `graceMs`. */
  close(options?: { readonly delayMs?: number; readonly graceMs?: number }): Promise<void>;
}

export interface GuardStats {
  readonly connections: number;
  readonly requests: number;
  readonly refused: Readonly<Partial<Record<DoorReason, number>>>;
}
