import { MeshError } from '../errors.ts';

/** Why a peer was not taken; stable, for logs, metrics and tests. */
export type RefusalCode =
  /** It presented no certificate. */
  | 'no-certificate'
  /** A certificate, an extension or a name of it cannot be read. */
  | 'malformed'
  | 'no-uri-san'
  | 'several-uri-sans'
  /** Its one URI is no SPIFFE ID. */
  | 'not-spiffe'
  /** There is no bundle for its trust domain, or it is not one that is expected. */
  | 'wrong-trust-domain'
  /** It is who it says, and is not expected here. */
  | 'wrong-name'
  /** Its chain does not lead to a root of its trust domain. */
  | 'unknown-root'
  | 'self-signed'
  | 'expired'
  | 'not-yet-valid'
  /** The leaf may sign certificates. */
  | 'is-ca'
  /** A certificate that signed another one may not. */
  | 'issuer-not-ca'
  | 'path-too-long'
  /** A certificate is not meant for this (key usage, extended key usage, a critical extension nobody here knows). */
  | 'wrong-usage'
  | 'revoked'
  /** OpenSSL refused a chain for a reason of its own: a weak key or digest, a name constraint. */
  | 'chain-refused';

export interface Refusal {
  readonly refused: RefusalCode;
  /** What was presented, and what was expected. */
  readonly message: string;
}

export const refuse = (refused: RefusalCode, message: string): Refusal => ({ refused, message });

/** The error of a call or a connection whose peer was refused. Never retried in clear; another endpoint may do better. */
export const peerRefused = (side: 'server' | 'client', refusal: Refusal): MeshError =>
  new MeshError('MESH_PEER_REFUSED', `the ${side} was refused (${refusal.refused}): ${refusal.message}`, {
    flag: 'UF',
    status: 503,
    cause: refusal,
  });

/** Which refusal an error stands for; undefined when it is another error. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof MeshError) || error.code !== 'MESH_PEER_REFUSED') return undefined;
  const { cause } = error;
  return typeof cause === 'object' && cause !== null && 'refused' in cause ? (cause as Refusal) : undefined;
}

/** OpenSSL's verdict on a chain (X509_V_ERR_…, as Node names them) in our words. */
const OPENSSL: ReadonlyMap<string, RefusalCode> = new Map([
  ['CERT_HAS_EXPIRED', 'expired'],
  ['CERT_NOT_YET_VALID', 'not-yet-valid'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown-root'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'unknown-root'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unknown-root'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unknown-root'],
  ['CERT_SIGNATURE_FAILURE', 'unknown-root'],
  ['CERT_UNTRUSTED', 'unknown-root'],
  ['INVALID_CA', 'issuer-not-ca'],
  ['PATH_LENGTH_EXCEEDED', 'path-too-long'],
  ['CERT_CHAIN_TOO_LONG', 'path-too-long'],
  ['INVALID_PURPOSE', 'wrong-usage'],
  ['CERT_REVOKED', 'revoked'],
]);

/** The refusal behind an error code of OpenSSL's chain verification; undefined when the code is about something else. */
export function refusalOfOpenSsl(code: string): Refusal | undefined {
  const known = OPENSSL.get(code);
  return known === undefined ? undefined : refuse(known, `OpenSSL: ${code}`);
}
