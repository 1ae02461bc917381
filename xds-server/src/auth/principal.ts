/** Who is at the other end, as it was proven and not as it says. */
export interface Principal {
  readonly kind: 'workload';
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly via: 'bootstrap-token' | 'kubernetes' | 'oidc' | 'certificate' | 'in-process';
  /** Wall clock, ms; what rests on the proof ends then. undefined: it lasts as long as this process. */
  readonly expiresAtMs?: number;
  /** The Kubernetes node its token is bound to. */
  readonly node?: string;
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** Why a credential proves nobody; each has its own count in the metrics. */
export type RefusalCode =
  | 'malformed'
  | 'algorithm'
  | 'unknown-key'
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'audience'
  | 'issuer'
  | 'subject'
  | 'no-credential'
  | 'in-clear'
  | 'certificate'
  | 'reviewed'
  | 'keys-unavailable'
  | 'review-unavailable';

/** The message goes to the peer and to the log: it names what is wrong, never the credential. */
export interface Refusal {
  readonly refused: RefusalCode;
  readonly message: string;
}

export type Proof = Principal | Refusal;

export const isRefusal = (proof: Proof): proof is Refusal => 'refused' in proof;

export const refuse = (refused: RefusalCode, message: string): Refusal => ({ refused, message });

/** `namespace/service account`, for logs. */
export const principalText = ({ namespace, serviceAccount }: Principal): string => `${namespace}/${serviceAccount}`;

/** Istio's form of a SPIFFE ID. */
export const spiffeUriOf = ({ trustDomain, namespace, serviceAccount }: Principal): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;

/** RFC 1123 label and subdomain: nothing that could become another part of a SPIFFE ID or of a path. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export const isNamespace = (text: string): boolean => LABEL.test(text);
export const isServiceAccount = (text: string): boolean => SUBDOMAIN.test(text) && !text.includes('..');

const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Kubernetes' subject of a service account: `system:serviceaccount:NAMESPACE:NAME`. */
export const subjectOf = (namespace: string, serviceAccount: string): string =>
  `system:serviceaccount:${namespace}:${serviceAccount}`;

export function parseSubject(subject: string): { namespace: string; serviceAccount: string } | undefined {
  const [, namespace = '', serviceAccount = ''] = SUBJECT.exec(subject) ?? [];
  return isNamespace(namespace) && isServiceAccount(serviceAccount) ? { namespace, serviceAccount } : undefined;
}
