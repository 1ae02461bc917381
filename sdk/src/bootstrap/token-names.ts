/** Who a token is for, as far as it says so itself; whether that is true is its reader's to verify. */
export interface TokenNames {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The subject of Kubernetes' service-account tokens, and of our own. */
const SUBJECT =
  /^system:serviceaccount:([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?):([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

/** undefined: it is no JWT, or one of another kind. */
export function namesInToken(token: string): TokenNames | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const subject = typeof claims === 'object' && claims !== null && 'sub' in claims ? claims.sub : undefined;
    const [, namespace, serviceAccount] = (typeof subject === 'string' && SUBJECT.exec(subject)) || [];
    return namespace !== undefined && serviceAccount !== undefined ? { namespace, serviceAccount } : undefined;
  } catch {
    return undefined;
  }
}
