import { defaultOf } from '../defaults.ts';
import { isRefusal, type Proof, type Refusal, refuse } from './principal.ts';

/** What a token says before anything of it is proven: enough to choose who may prove it, and for nothing else. */
export interface UnprovenToken {
  readonly algorithm: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly subject: string;
  readonly expiresAtMs: number | undefined;
}

/** Signatures that only the holder of a private key can make; `none` and HMAC never (RFC 8725 §3.1, §3.2). */
export const ASYMMETRIC_ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Reads a token's own words. `kid` is not among them: no key is found by what a stranger writes but in a list of keys held already. */
export function tokenHeader(token: string): UnprovenToken | Refusal {
  const longest = defaultOf('tokenBytes');
  if (token.length > longest) return refuse('malformed', `token: ${token.length} bytes, want at most ${longest}`);
  const parts = token.split('.');
  const header = parts.length === 3 ? object(parts[0]) : undefined;
  const payload = header && object(parts[1]);
  if (header === undefined || payload === undefined) return refuse('malformed', 'token: not a signed JWT');
  const { alg } = header;
  if (typeof alg !== 'string' || !ASYMMETRIC_ALGORITHMS.includes(alg))
    return refuse('algorithm', `token: its algorithm is not one of ${ASYMMETRIC_ALGORITHMS.join(', ')}`);
  const { iss, aud, sub, exp } = payload;
  return {
    algorithm: alg,
    issuer: typeof iss === 'string' ? iss : '',
    audiences: [aud].flat().filter((one) => typeof one === 'string'),
    subject: typeof sub === 'string' ? sub : '',
    expiresAtMs: typeof exp === 'number' && Number.isFinite(exp) ? exp * 1_000 : undefined,
  };
}

export const isTokenRefused = (token: UnprovenToken | Proof): token is Refusal =>
  !('algorithm' in token) && isRefusal(token);

function object(part: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const read: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? { ...read } : undefined;
  } catch {
    return undefined;
  }
}

/** What jose says, in our words: its own may quote the token. */
export function tokenRefusal(error: unknown): Refusal {
  const fault = typeof error === 'object' && error !== null ? error : {};
  const code = 'code' in fault ? fault.code : undefined;
  const claim = 'claim' in fault ? fault.claim : undefined;
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return refuse('expired', 'token: it has expired');
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return refuse('signature', 'token: its signature does not fit; another CA may have made it, or it was changed');
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return refuse('algorithm', 'token: its algorithm is not the one that is used here');
    case 'ERR_JWKS_NO_MATCHING_KEY':
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return refuse('unknown-key', 'token: none of its issuer’s keys fits its header');
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return claimRefusal(claim);
    default:
      return refuse('malformed', 'token: not a JWT that can be read');
  }
}

function claimRefusal(claim: unknown): Refusal {
  switch (claim) {
    case 'aud':
      return refuse('audience', 'token: it is for another audience');
    case 'iss':
      return refuse('issuer', 'token: it has another issuer');
    case 'nbf':
      return refuse('not-yet-valid', 'token: it is not valid yet');
    case 'typ':
      return refuse('malformed', 'token: it is of another kind (typ)');
    case 'sub':
      return refuse('subject', 'token: it has no subject');
    default:
      return refuse('malformed', 'token: a claim that it must have is missing or cannot be read');
  }
}
