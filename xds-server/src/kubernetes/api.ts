import { defaultOf } from '../defaults.ts';
import type { KubernetesAccess } from './access.ts';
import { type HttpsResponse, httpsRequest } from './https-request.ts';

/** What the API server says of a bearer token (authentication.k8s.io/v1 TokenReview). */
export interface TokenReview {
  readonly authenticated: boolean;
  readonly username: string;
  /** Those of the asked audiences that the token is for. */
  readonly audiences: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
  /** Why not, in the API server's words. */
  readonly error: string;
}

export interface KubernetesSecret {
  readonly type: string;
  readonly data: ReadonlyMap<string, Buffer>;
  /** Of the state that was read: a write that names it fails where someone was faster. */
  readonly resourceVersion: string;
}

/** The little of the Kubernetes API that the control plane's identity needs. */
export interface KubernetesApi {
  reviewToken(token: string, audiences: readonly string[]): Promise<TokenReview>;
  /** undefined: it does not exist. */
  getSecret(namespace: string, name: string): Promise<KubernetesSecret | undefined>;
  /** Without a resourceVersion it is made; false: someone else was faster, read it again. */
  putSecret(namespace: string, name: string, secret: NewSecret): Promise<boolean>;
}

export interface NewSecret {
  readonly type: string;
  readonly data: ReadonlyMap<string, Buffer>;
  readonly resourceVersion?: string;
}

export function createKubernetesApi(access: KubernetesAccess): KubernetesApi {
  const call = async (method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<HttpsResponse> => {
    const { server, token, ...tls } = access;
    const bearer = token?.();
    return httpsRequest(new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server), {
      ...tls,
      method,
      headers: {
        accept: 'application/json',
        'user-agent': 'inmesh',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      timeoutMs: defaultOf('kubernetesTimeoutMs'),
      maxBytes: defaultOf('kubernetesBytes'),
    });
  };
  return {
    async reviewToken(token, audiences) {
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } };
      const answer = await call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
      if (answer.status !== 201 && answer.status !== 200) throw failed('TokenReview', answer);
      return readReview(field(json(answer), 'status'));
    },
    async getSecret(namespace, name) {
      const answer = await call('GET', secretPath(namespace, name));
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw failed(`Secret ${namespace}/${name}`, answer);
      return readSecret(json(answer));
    },
    async putSecret(namespace, name, secret) {
      const { resourceVersion } = secret;
      const [method, path] =
        resourceVersion === undefined
          ? (['POST', secretPath(namespace)] as const)
          : (['PUT', secretPath(namespace, name)] as const);
      const answer = await call(method, path, secretBody(namespace, name, secret));
      if (answer.status === 409) return false;
      if (answer.status !== 200 && answer.status !== 201) throw failed(`Secret ${namespace}/${name}`, answer);
      return true;
    },
  };
}

const secretPath = (namespace: string, name?: string): string =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;

const secretBody = (namespace: string, name: string, { type, data, resourceVersion }: NewSecret): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name, ...(resourceVersion !== undefined && { resourceVersion }) },
  type,
  data: Object.fromEntries([...data].map(([key, value]) => [key, value.toString('base64')])),
});

/** Kubernetes' Status says why in words made for people; a Secret's own contents are never in it. */
function failed(what: string, answer: HttpsResponse): Error {
  const said = textOf(field(json(answer), 'message')).slice(0, 300);
  return new Error(`Kubernetes API: ${what}: ${answer.status}${said === '' ? '' : ` ${said}`}`);
}

function json({ body }: HttpsResponse): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

const field = (object: unknown, key: string): unknown =>
  typeof object === 'object' && object !== null && Object.hasOwn(object, key) ? Reflect.get(object, key) : undefined;
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

const readReview = (status: unknown): TokenReview => ({
  authenticated: field(status, 'authenticated') === true,
  username: textOf(field(field(status, 'user'), 'username')),
  audiences: textsOf(field(status, 'audiences')),
  extra: new Map(entriesOf(field(field(status, 'user'), 'extra')).map(([key, value]) => [key, textsOf(value)])),
  error: textOf(field(status, 'error')),
});

const readSecret = (object: unknown): KubernetesSecret => ({
  type: textOf(field(object, 'type')),
  data: new Map(entriesOf(field(object, 'data')).map(([key, value]) => [key, Buffer.from(textOf(value), 'base64')])),
  resourceVersion: textOf(field(field(object, 'metadata'), 'resourceVersion')),
});
