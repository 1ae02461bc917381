/** security.istio.io PeerAuthentication; conventions as in virtual-service.ts. */
export interface PeerAuthenticationSpec {
  /** undefined: the whole namespace, of the root namespace the whole mesh. */
  readonly selector?: { readonly matchLabels: ReadonlyMap<string, string> };
  readonly mtls?: MutualTls;
  /** By the port that the workload listens on. */
  readonly portLevelMtls: ReadonlyMap<string, MutualTls>;
}

export interface MutualTls {
  /** UNSET: as the level above says. */
  readonly mode: 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';
}
