import type { CertificateSource, RootsSource, TlsEnd } from './tls.ts';

/** Where the bytes of a secret stand. */
type Held<Source extends { readonly kind: string }, Kinds extends string> = Extract<Source, { readonly kind: Kinds }>;

/** Envoy Secret, decoded. Its values go to `identity/` alone: nothing prints one, and none is kept on disk. */
export type Secret =
  | {
      readonly kind: 'certificate';
      readonly name: string;
      readonly certificate: Held<CertificateSource, 'files' | 'inline'>;
    }
  | {
      readonly kind: 'roots';
      readonly name: string;
      readonly roots: Held<RootsSource, 'system' | 'file' | 'inline' | 'bundles'>;
      readonly crl?: NonNullable<TlsEnd['crl']>;
    }
  /** Of no use to TLS of this client (generic secrets, session ticket keys). */
  | { readonly kind: 'unused'; readonly name: string };
