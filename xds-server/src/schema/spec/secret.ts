/** Kubernetes core/v1 Secret, as far as TLS needs it: of type kubernetes.io/tls, or generic with Istio's keys. */
export interface SecretSpec {
  readonly type?: string;
  readonly data: SecretData;
  /** Wins over `data`. */
  readonly stringData: SecretData;
}

/** PEM, decoded. Never printed: not in problems, not in logs, not in dumps. */
export interface SecretData {
  readonly 'tls.crt'?: string;
  readonly 'tls.key'?: string;
  readonly 'ca.crt'?: string;
  readonly 'ca.crl'?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly cacert?: string;
  readonly crl?: string;
}
