import type { Principal } from '../auth/principal.ts';

/** The other end of a stream: where it is, and who it has proven to be. */
export interface Peer {
  /** Where a workload that registers on it is reached; undefined: in this process, or over a unix socket. */
  readonly address: string | undefined;
  readonly principal?: Principal;
  /** Unproven, and not of this machine: it may see what every workload of the mesh may see, and be none. */
  readonly isPublic?: boolean;
}

/** Unproven, on this machine: believed in all but its identity. */
export const LOCAL: Peer = { address: undefined };
