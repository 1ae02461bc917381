import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from './spiffe-id.ts';

/** An X.509 SVID: who this workload is, and the key that proves it. Never printed: `inspect` shows the id and the times. */
export interface Svid {
  readonly id: SpiffeId;
  /** PEM, leaf first, without the root. */
  readonly chain: string;
  readonly key: KeyObject;
  /** Wall clock, ms. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serialNumber: string;
}

/** Roots by trust domain; immutable, a change is a new one. */
export interface TrustBundles {
  /** PEM certificates of one trust domain; undefined: its workloads are strangers. Names are lower case. */
  of(trustDomain: string): readonly string[] | undefined;
  readonly trustDomains: readonly string[];
  /** PEM revocation lists, of any of the roots. */
  readonly revoked: readonly string[];
}

/** All there is to know at one moment. `generation` grows with each change of any part. */
export interface IdentityState {
  readonly generation: number;
  readonly svid: Svid;
  readonly bundles: TrustBundles;
  /** Our own trust domain first, then those that count as the same (MeshConfig.trustDomainAliases). */
  readonly trustDomains: readonly string[];
}

/** Who this process is, kept current by its source. */
export interface Identity {
  /** undefined before the first, and once the last certificate has expired. For the hot path: no promise, no allocation. */
  current(): IdentityState | undefined;
  /** Why `current` is undefined; for errors and explain. */
  readonly missing: string;
  /** Starts the source; resolves with the first state, rejects with MESH_IDENTITY_UNAVAILABLE after `timeoutMs`. */
  ready(timeoutMs: number): Promise<IdentityState>;
  /** Called after each change; not for the state that is there. */
  onChange(listener: (state: IdentityState | undefined) => void): () => void;
  close(): void;
}
