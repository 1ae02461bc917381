import type { Clock } from '@inmesh/sdk/internal/clock';
import { TOKEN_AUDIENCE } from './bootstrap-token.ts';
import { ASYMMETRIC_ALGORITHMS, isTokenRefused, tokenHeader, tokenRefusal } from './json-web-token.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import { type Principal, type Proof, parseSubject, type Refusal, refuse } from './principal.ts';

/** An issuer whose tokens prove service accounts (Istio JWT_RULE). */
export interface JwtIssuerRule {
  /** Exactly its `iss`. */
  readonly issuer: string;
  /** At least one of these must be in `aud`; istio-ca where none are given. */
  readonly audiences?: readonly string[];
  /** Where its keys are; told by its OpenID Connect discovery document where absent. */
  readonly jwksUri?: string;
  /** PEM of the roots that its server's certificate leads to; the platform's where absent. */
  readonly ca?: string;
}

export interface JwtIssuer {
  readonly issuer: string;
  verify(token: string): Promise<Proof>;
}

interface JwtIssuerDeps {
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly keySet?: KeySet;
}

/** Clocks of two machines differ; a token's end is its end all the same. */
const SKEW_SECONDS = 60;

/** Its subject must be that of a service account, as Kubernetes writes it: `system:serviceaccount:NAMESPACE:NAME`. */
export function createJwtIssuer(rule: JwtIssuerRule, deps: JwtIssuerDeps): JwtIssuer {
  const { issuer } = rule;
  const keySet = deps.keySet ?? createKeySet({ ...rule, clock: deps.clock });
  return {
    issuer,
    async verify(token) {
      const header = tokenHeader(token);
      if (isTokenRefused(header)) return header;
      if ((header.expiresAtMs ?? 0) <= deps.clock.wallTime()) return refuse('expired', 'token: it has expired');
      const first = await attempt(token, rule, deps, await keysOf(keySet, false));
      if (!('refused' in first) || first.refused !== 'unknown-key') return first;
      // Its issuer may have new keys.
      return attempt(token, rule, deps, await keysOf(keySet, true));
    },
  };
}

type Keys = Awaited<ReturnType<KeySet['get']>>;

async function keysOf(keySet: KeySet, isMissing: boolean): Promise<Keys | Refusal> {
  try {
    return await keySet.get(isMissing);
  } catch (error) {
    const why =
      error instanceof SyntaxError ? 'they are no JSON' : error instanceof Error ? error.message : String(error);
    return refuse('keys-unavailable', `token: the keys of its issuer cannot be had: ${why}`);
  }
}

async function attempt(token: string, rule: JwtIssuerRule, deps: JwtIssuerDeps, keys: Keys | Refusal): Promise<Proof> {
  if ('refused' in keys) return keys;
  const [{ jwtVerify }, { createLocalJWKSet }] = await Promise.all([
    import('jose/jwt/verify'),
    import('jose/jwks/local'),
  ]);
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: [...ASYMMETRIC_ALGORITHMS],
      issuer: rule.issuer,
      audience: [...(rule.audiences ?? [TOKEN_AUDIENCE])],
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(deps.clock.wallTime()),
      clockTolerance: SKEW_SECONDS,
    });
    const who = parseSubject(payload.sub ?? '');
    if (who === undefined) return refuse('subject', 'token: its subject names no service account');
    const expiresAtMs = (payload.exp ?? 0) * 1_000;
    const { trustDomain } = deps;
    return {
      kind: 'workload',
      trustDomain,
      ...who,
      via: 'oidc',
      expiresAtMs,
      ...boundTo(payload['kubernetes.io'], who),
    } satisfies Principal;
  } catch (error) {
    return tokenRefusal(error);
  }
}

/** What a token of Kubernetes is bound to (claim `kubernetes.io`, KEP-1205): the Pod it was made for, and its node. */
function boundTo(claim: unknown, who: { namespace: string; serviceAccount: string }): Pick<Principal, 'node' | 'pod'> {
  const at = (...path: readonly string[]): string => {
    let value: unknown = claim;
    for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    return typeof value === 'string' ? value : '';
  };
  if (at('namespace') !== who.namespace || at('serviceaccount', 'name') !== who.serviceAccount) return {};
  const [node, name, uid] = [at('node', 'name'), at('pod', 'name'), at('pod', 'uid')];
  return { ...(node !== '' && { node }), ...(name !== '' && uid !== '' && { pod: { name, uid } }) };
}
