import type { BootstrapTokens } from './bootstrap-token.ts';
import { TOKEN_ISSUER } from './bootstrap-token.ts';
import { isTokenRefused, tokenHeader } from './json-web-token.ts';
import type { JwtIssuer } from './jwt-issuer.ts';
import { isRefusal, type Proof, type Refusal, refuse } from './principal.ts';

/** What a peer has shown. */
interface Credentials {
  /** Of `authorization: Bearer …`. */
  readonly token?: string;
  /** What its client certificate was found to prove. */
  readonly certificate?: Proof;
}

export interface AuthenticatorParts {
  /** Of the CA here; made when the first token comes. */
  readonly bootstrapTokens?: () => Promise<BootstrapTokens>;
  readonly issuers?: readonly JwtIssuer[];
  /** Judges every token that none of the others can. */
  readonly kubernetes?: (token: string) => Promise<Proof>;
}

/** undefined: nothing was shown. */
export type Authenticate = (credentials: Credentials) => Promise<Proof | undefined>;

/**
 * Istio's order: certificate, configured issuers, Kubernetes. A certificate that proves nothing any more does not spoil a token that
 * does; without one, its fault is the answer. A token that is refused never leaves its holder merely unproven.
 */
export function createAuthenticator(parts: AuthenticatorParts): Authenticate {
  return async ({ token, certificate }) => {
    if (certificate !== undefined && !isRefusal(certificate)) return certificate;
    return token === undefined ? certificate : proofOf(token, parts);
  };
}

async function proofOf(
  token: string,
  { bootstrapTokens, issuers = [], kubernetes }: AuthenticatorParts,
): Promise<Proof> {
  const unproven = tokenHeader(token);
  if (isTokenRefused(unproven)) return unproven;
  if (unproven.issuer === TOKEN_ISSUER && bootstrapTokens !== undefined) return (await bootstrapTokens()).verify(token);
  const issuer = issuers.find((one) => one.issuer === unproven.issuer);
  if (issuer !== undefined) return issuer.verify(token);
  return kubernetes?.(token) ?? refuse('issuer', 'token: nobody here trusts its issuer');
}

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/** The token of `authorization` values: undefined where there are none, a refusal where they are something else. */
export function bearerToken(values: readonly unknown[]): string | undefined | Refusal {
  const [value, ...others] = values;
  if (value === undefined) return undefined;
  const [, token] = typeof value === 'string' ? (BEARER.exec(value) ?? []) : [];
  if (token === undefined || others.length > 0) return refuse('malformed', 'authorization: want one "Bearer TOKEN"');
  return token;
}
