/** Label of a workload whose port takes mTLS (Istio label.SecurityTlsMode). */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode';

/** Says that a process proved its identity and takes mTLS, or that a proxy beside it does. */
export const takesMutualTls = (labels: ReadonlyMap<string, string>): boolean => labels.get(TLS_MODE_LABEL) === 'istio';
