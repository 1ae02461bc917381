import { describe, expect, it } from 'vitest';
import type { KubernetesSecret, NewSecret } from '../kubernetes/api.ts';
import { csrOf, handClock, REVIEWS } from './authority.fixture.ts';
import { createAuthority } from './authority.ts';
import { kubernetesStore, type SecretApi } from './kubernetes-store.ts';

/** Secrets as the API server keeps them: a write that names an old version fails. */
function secrets(): SecretApi & { readonly held: Map<string, KubernetesSecret>; others: () => void } {
  const held = new Map<string, KubernetesSecret>();
  let version = 0;
  const put = (key: string, { type, data }: NewSecret): void => {
    version += 1;
    held.set(key, { type, data, resourceVersion: String(version) });
  };
  const api = {
    held,
    others: () => {},
    getSecret: (namespace: string, name: string) => Promise.resolve(held.get(`${namespace}/${name}`)),
    putSecret(namespace: string, name: string, secret: NewSecret) {
      api.others();
      const key = `${namespace}/${name}`;
      if (held.get(key)?.resourceVersion !== secret.resourceVersion) return Promise.resolve(false);
      put(key, secret);
      return Promise.resolve(true);
    },
  };
  return api;
}

const open = async (api: SecretApi) =>
  createAuthority({ trustDomain: 'cluster.local', clock: handClock(), store: await kubernetesStore(api) });

describe('a CA in a Kubernetes Secret', () => {
  it("makes its root in istio-ca-secret, as istiod does, in istiod's shape", async () => {
    const api = secrets();
    const authority = await open(api);
    const secret = api.held.get('istio-system/istio-ca-secret');
    expect(secret?.type).toBe('istio.io/ca-root');
    expect(secret?.data.get('ca-cert.pem')?.toString()).toBe(authority.bundle().roots[0]);
    expect(secret?.data.get('ca-key.pem')?.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect((await open(api)).bundle()).toEqual(authority.bundle());
  });

  it('takes over the root of istiod, and keeps what else stands in the Secret', async () => {
    const api = secrets();
    const istiod = await open(api);
    const made = api.held.get('istio-system/istio-ca-secret');
    if (made === undefined) throw new Error('no Secret');
    const data = new Map([
      ...['ca-cert.pem', 'ca-key.pem'].map((name) => [name, made.data.get(name) ?? Buffer.alloc(0)] as const),
      ...['cert-chain.pem', 'key.pem', 'root-cert.pem'].map((name) => [name, Buffer.alloc(0)] as const),
      ['note', Buffer.from('kept')] as const,
    ]);
    api.held.set('istio-system/istio-ca-secret', { ...made, data });
    const authority = await open(api);
    expect(authority.bundle()).toEqual(istiod.bundle());
    await authority.rotateRoot();
    const after = api.held.get('istio-system/istio-ca-secret')?.data;
    expect(after?.get('note')?.toString()).toBe('kept');
    expect(after?.get('next-key.pem')?.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });

  it('has one root where two replicas begin together, and loses no change where they write together', async () => {
    const api = secrets();
    const [one, other] = await Promise.all([open(api), open(api)]);
    expect(one.bundle()).toEqual(other.bundle());
    let interfered = false;
    api.others = () => {
      if (interfered) return;
      interfered = true;
      void other.revoke('0B');
    };
    await one.revoke('0A');
    await other.revoke('0C');
    await one.revoke('0A');
    expect(one.status().revoked).toBe(3);
  });

  it('prefers a plugged-in CA, also in the form of cert-manager', async () => {
    const source = secrets();
    const root = await open(source);
    const made = source.held.get('istio-system/istio-ca-secret')?.data;
    const certificate = made?.get('ca-cert.pem') ?? Buffer.alloc(0);
    const api = secrets();
    api.held.set('istio-system/cacerts', {
      type: 'kubernetes.io/tls',
      resourceVersion: '1',
      data: new Map([
        ['tls.crt', certificate],
        ['tls.key', made?.get('ca-key.pem') ?? Buffer.alloc(0)],
        ['ca.crt', certificate],
      ]),
    });
    const authority = await open(api);
    expect(authority.status()).toMatchObject({ kind: 'plugged-in', store: 'Secret istio-system/cacerts' });
    expect(authority.bundle()).toEqual(root.bundle());
    const { chain } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(chain).toHaveLength(2);
  });
});
