/** A SPIFFE ID (SPIFFE-ID standard §2), or Istio's form of it. */
export interface SpiffeId {
  /** `spiffe://TRUST-DOMAIN/PATH`, the trust domain in lower case. */
  readonly uri: string;
  readonly trustDomain: string;
  /** With its leading slash; empty where the id names a trust domain alone. */
  readonly path: string;
  /** Istio: exactly `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`; undefined for any other path. */
  readonly workload?: { readonly namespace: string; readonly serviceAccount: string };
}
