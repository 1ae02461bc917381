import type { Svid, TrustBundles } from './identity.ts';

export type SourceKind = 'given' | 'files' | 'workload-api' | 'ca' | 'sds';

/** One whole state of a source: certificate, key and roots that belong together. */
export interface SourceState {
  readonly svid: Svid;
  readonly bundles: TrustBundles;
}

export interface SourceListener {
  /** What holds from now on. One that equals what is held changes nothing. Never called from inside `start`. */
  found(state: SourceState): void;
  /** Nothing usable was had, for this reason (names the file, the server, the field; never a secret). What is held goes on. */
  failed(reason: string): void;
}

/** Where a certificate comes from. It renews by itself; whether what it found may be used is the Identity's to say. */
export interface IdentitySource {
  readonly kind: SourceKind;
  /** For humans: `CA istiod.istio-system.svc:15012`, `files /etc/certs/cert-chain.pem`. */
  readonly from: string;
  /**
   * Roots that came with the certificate are all there are of their trust domains. Where false, the control plane's (`ROOTCA`)
   * are added to them: they are of the same authority.
   */
  readonly hasWholeBundles: boolean;
  /** Once. */
  start(on: SourceListener): void;
  /** Something may be had again (the control plane came back): whoever waits to try again need not. */
  nudge?(): void;
  /** When it means to renew, ms of the monotonic clock; undefined: when the other side says so. */
  readonly nextMs?: number | undefined;
  /** Nothing is told afterwards. */
  close(): void;
}
