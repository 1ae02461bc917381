/** What one end of a TLS connection presents and whom it takes for true; values only, the keys themselves live in `identity/`. */

/** The certificate and key an end presents. */
export type CertificateSource =
  /** This workload's own (SDS secret `default`, gRPC certificate provider instance `default`). */
  | { readonly kind: 'identity' }
  /** A secret that comes by SDS under this name (`kubernetes://NAME`). */
  | { readonly kind: 'secret'; readonly name: string }
  /** PEM files on this machine, read anew when they change. */
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }
  /** PEM in the configuration itself. */
  | { readonly kind: 'inline'; readonly certificate: string; readonly key: string };

/** Whom a peer's chain must lead to. */
export type RootsSource =
  /** The bundle of the peer's trust domain (SDS secret `ROOTCA`): SPIFFE rules apply, and no other roots do. */
  | { readonly kind: 'mesh' }
  /** The platform's roots. */
  | { readonly kind: 'system' }
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'inline'; readonly pem: string }
  /** Bundles by trust domain, in lower case (Envoy SPIFFECertValidatorConfig): SPIFFE rules apply, by these instead of the mesh's. */
  | { readonly kind: 'bundles'; readonly bundles: ReadonlyMap<string, string> }
  /** The chain is not checked (`insecureSkipVerify`, said so by check and explain); names still are, where there are any. */
  | { readonly kind: 'unchecked' };

/** One name that is accepted of a peer (Envoy SubjectAltNameMatcher). */
export interface NameMatch {
  /** undefined: any type (Envoy's older match_subject_alt_names). */
  readonly type?: 'uri' | 'dns' | 'email' | 'ip';
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex';
  readonly value: string;
  readonly ignoreCase?: true;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface TlsEnd {
  readonly alpn: readonly string[];
  readonly roots: RootsSource;
  /** The peer must carry one of them; empty: whoever the roots vouch for (and, of a server outside the mesh, the name asked for). */
  readonly subjectAltNames: readonly NameMatch[];
  /** PEM of a revocation list beside the bundle's own: a file's path, or the text. */
  readonly crl?: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'inline'; readonly pem: string };
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** OpenSSL names; Node's own where absent. */
  readonly cipherSuites?: readonly string[];
}

/** SHA-256 of the peer's public key (SubjectPublicKeyInfo) or of its whole certificate; base64. */
export interface CertificatePin {
  readonly of: 'public-key' | 'certificate';
  readonly sha256: string;
}

/** TLS towards an upstream (Envoy UpstreamTlsContext). */
export interface UpstreamTls extends TlsEnd {
  readonly sni?: string;
  /**
   * In place of `sni`: `authority`, the host of the request (Envoy UpstreamHttpProtocolOptions.auto_sni); `endpoint`, the
   * endpoint's host name where it has one (UpstreamTlsContext.auto_host_sni, gRFC A101).
   */
  readonly sniFrom?: 'authority' | 'endpoint';
  /** The name asked for is verified also where names are given that would take its place (auto_san_validation, auto_sni_san_validation). */
  readonly verifiesSni?: true;
  /** Whose certificate is none of these is refused, beside all else (Envoy verify_certificate_spki and verify_certificate_hash). */
  readonly pins?: readonly CertificatePin[];
  /** None: the peer is not told who asks. */
  readonly certificate?: CertificateSource;
}

/** TLS of a server (Envoy DownstreamTlsContext). */
export interface DownstreamTls extends TlsEnd {
  readonly certificate: CertificateSource;
  /** Who presents none is refused. */
  readonly requireClientCertificate: boolean;
  /** Who is of another trust domain than this workload's own and its aliases is refused, whatever roots there are. */
  readonly ownTrustDomain?: true;
}

/** One of a cluster's transport sockets: for endpoints whose `transportMatch` holds all of `match` (Envoy TransportSocketMatch). */
export interface TransportMatch {
  readonly name: string;
  readonly match: ReadonlyMap<string, string>;
  /** undefined: plain text. */
  readonly tls: UpstreamTls | undefined;
}
