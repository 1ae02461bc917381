import type { KeyObject } from 'node:crypto';

/** One secret that came by SDS (Envoy TlsCertificate, CertificateValidationContext). Never printed. */
export interface SecretValue {
  /** Grows with each change of this secret. */
  readonly generation: number;
  readonly certificate?: {
    /** PEM, leaf first. */
    readonly chain: string;
    readonly key: KeyObject;
  };
  readonly roots?: {
    /** PEM, of all trust domains. */
    readonly pems: readonly string[];
    /** Where the secret tells them apart (envoy.tls.cert_validator.spiffe). */
    readonly byTrustDomain?: ReadonlyMap<string, readonly string[]>;
    /** PEM revocation lists. */
    readonly revoked: readonly string[];
  };
}

/** Secrets by their SDS name, as they are now. */
export interface Secrets {
  get(name: string): SecretValue | undefined;
}

/** For who takes no secrets. */
export const NO_SECRETS: Secrets = { get: () => undefined };
