import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import { isTokenRefused, tokenHeader, tokenRefusal } from './json-web-token.ts';
import {
  isNamespace,
  isServiceAccount,
  type Principal,
  type Proof,
  parseSubject,
  refuse,
  subjectOf,
} from './principal.ts';

/** What a token says of its holder. */
interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly ttlMs: number;
}

/** Proof of who a process is where no Kubernetes vouches for it: a JWT that only the holder of the key beside the CA can make. */
export interface BootstrapTokens {
  /** Throws on names that Kubernetes would not have and on a time out of range. */
  mint(claims: TokenClaims): Promise<string>;
  verify(token: string): Promise<Proof>;
}

export const TOKEN_ISSUER = 'inmesh';
/** Istio's: a token made for anything else is not taken. */
export const TOKEN_AUDIENCE = 'istio-ca';
/** Keeps a token of another kind, signed by the same key, from being taken for one of these (RFC 8725 §3.11). */
const TYPE = 'inmesh-bootstrap+jwt';
const ALGORITHM = 'ES256';

export interface BootstrapTokenOptions {
  readonly key: KeyObject;
  /** Of those it vouches for. */
  readonly trustDomain: string;
  readonly clock: Clock;
}

export function createBootstrapTokens({ key, trustDomain, clock }: BootstrapTokenOptions): BootstrapTokens {
  const publicKey = createPublicKey(key);
  return {
    async mint({ namespace, serviceAccount, ttlMs }) {
      checkClaims({ namespace, serviceAccount, ttlMs });
      const { SignJWT } = await import('jose/jwt/sign');
      const now = Math.floor(clock.wallTime() / 1_000);
      return new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .setSubject(subjectOf(namespace, serviceAccount))
        .setIssuedAt(now)
        .setExpirationTime(now + Math.ceil(ttlMs / 1_000))
        .sign(key);
    },
    async verify(token) {
      const header = tokenHeader(token);
      if (isTokenRefused(header)) return header;
      const { jwtVerify } = await import('jose/jwt/verify');
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          algorithms: [ALGORITHM],
          typ: TYPE,
          issuer: TOKEN_ISSUER,
          audience: TOKEN_AUDIENCE,
          requiredClaims: ['sub', 'exp', 'iat'],
          currentDate: new Date(clock.wallTime()),
        });
        const who = parseSubject(payload.sub ?? '');
        if (who === undefined) return refuse('subject', 'token: its subject names no service account');
        return principalOf(who, trustDomain, payload.exp);
      } catch (error) {
        return tokenRefusal(error);
      }
    },
  };
}

const principalOf = (
  who: { readonly namespace: string; readonly serviceAccount: string },
  trustDomain: string,
  exp: number | undefined,
): Principal => ({
  kind: 'workload',
  trustDomain,
  ...who,
  via: 'bootstrap-token',
  ...(exp !== undefined && { expiresAtMs: exp * 1_000 }),
});

function checkClaims({ namespace, serviceAccount, ttlMs }: TokenClaims): void {
  if (!isNamespace(namespace))
    throw new TypeError(`namespace: got "${namespace}", want a name of Kubernetes (RFC 1123)`);
  if (!isServiceAccount(serviceAccount))
    throw new TypeError(`service account: got "${serviceAccount}", want a name of Kubernetes (RFC 1123)`);
  const longest = defaultOf('tokenMaxMs');
  if (!(ttlMs >= 1_000 && ttlMs <= longest))
    throw new RangeError(`ttl: got ${ttlMs} ms, want 1 s to ${longest / 86_400_000} days`);
}
