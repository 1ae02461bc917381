import type { Clock } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { KubernetesApi, TokenReview } from '../kubernetes/api.ts';
import { TOKEN_AUDIENCE } from './bootstrap-token.ts';
import { isTokenRefused, tokenHeader, type UnprovenToken } from './json-web-token.ts';
import { type Principal, type Proof, parseSubject, refuse } from './principal.ts';

export interface TokenReviewOptions {
  readonly api: KubernetesApi;
  readonly trustDomain: string;
  readonly clock: Clock;
}

/**
 * Service-account tokens of Kubernetes, judged by its API server (TokenReview, audience istio-ca as Istio's). What cannot be
 * good by its own words is refused without asking: a flood of garbage is none for the API server.
 */
export function createTokenReviewer({
  api,
  trustDomain,
  clock,
}: TokenReviewOptions): (token: string) => Promise<Proof> {
  let underWay = 0;
  return async (token) => {
    const unproven = tokenHeader(token);
    if (isTokenRefused(unproven)) return unproven;
    if (!unproven.audiences.includes(TOKEN_AUDIENCE))
      return refuse('audience', `token: it is for another audience, want ${TOKEN_AUDIENCE}`);
    if (parseSubject(unproven.subject) === undefined)
      return refuse('subject', 'token: its subject names no service account');
    if ((unproven.expiresAtMs ?? Number.POSITIVE_INFINITY) <= clock.wallTime())
      return refuse('expired', 'token: it has expired');
    // What looks like a token costs its sender nothing.
    const most = defaultOf('tokenReviews');
    if (underWay >= most) return refuse('review-unavailable', `token: ${most} others are being reviewed`);
    underWay++;
    try {
      return judge(await api.reviewToken(token, [TOKEN_AUDIENCE]), unproven, trustDomain);
    } catch (error) {
      return refuse(
        'review-unavailable',
        `token: it could not be reviewed: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      underWay--;
    }
  };
}

function judge(review: TokenReview, unproven: UnprovenToken, trustDomain: string): Proof {
  // Its words may quote the token; they are the API server's log to tell.
  if (!review.authenticated) return refuse('reviewed', 'token: the Kubernetes API server does not take it');
  // An API server that knows no audiences ignores those that were asked for (TokenReview status.audiences).
  if (!review.audiences.includes(TOKEN_AUDIENCE))
    return refuse('audience', `token: the Kubernetes API server does not take it for ${TOKEN_AUDIENCE}`);
  const who = parseSubject(review.username);
  if (who === undefined) return refuse('subject', 'token: it is of a user, not of a service account');
  const one = (key: string): string => review.extra.get(`authentication.kubernetes.io/${key}`)?.[0] ?? '';
  const [node, name, uid] = [one('node-name'), one('pod-name'), one('pod-uid')];
  return {
    kind: 'workload',
    trustDomain,
    ...who,
    via: 'kubernetes',
    ...(unproven.expiresAtMs !== undefined && { expiresAtMs: unproven.expiresAtMs }),
    ...(node !== '' && { node }),
    ...(name !== '' && uid !== '' && { pod: { name, uid } }),
  } satisfies Principal;
}
