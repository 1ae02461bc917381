import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type Asked, httpsPeer } from '../auth/https-peer.fixture.ts';
import { findAccess, inClusterAccess, kubeconfigAccess } from './access.ts';
import { createKubernetesApi } from './api.ts';

let folder = '';
const closers: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-kubernetes-'));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string, text: string): string => {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
};

describe('Secrets', () => {
  /** Answers as the API server does: resourceVersions, 404, 409. */
  async function setUp() {
    let held: { type: string; data: object; version: number } | undefined;
    const answer = ({ method, body }: Asked): Answer => {
      const given = body as { type: string; data: object; metadata: { resourceVersion?: string } } | undefined;
      if (method === 'GET')
        return held === undefined ? { status: 404, body: { message: 'not found' } } : { status: 200, body: shown() };
      if (given === undefined) return { status: 400, body: {} };
      if (method === 'POST' && held !== undefined) return { status: 409, body: { message: 'already exists' } };
      if (method === 'PUT' && given.metadata.resourceVersion !== String(held?.version))
        return { status: 409, body: { message: 'the object has been modified' } };
      held = { type: given.type, data: given.data, version: (held?.version ?? 0) + 1 };
      return { status: method === 'POST' ? 201 : 200, body: shown() };
    };
    const shown = () => ({ type: held?.type, data: held?.data, metadata: { resourceVersion: String(held?.version) } });
    const peer = await httpsPeer(answer);
    closers.push(peer.close);
    return { ...peer, api: createKubernetesApi({ server: new URL(peer.url), ca: peer.ca }) };
  }

  it('are made, read and replaced; who was slower is told so', async () => {
    const { api, asked } = await setUp();
    expect(await api.getSecret('istio-system', 'ca')).toBeUndefined();
    const first = { type: 'istio.io/ca-root', data: new Map([['ca-key.pem', Buffer.from('one')]]) };
    expect(await api.putSecret('istio-system', 'ca', first)).toBe(true);
    expect(await api.putSecret('istio-system', 'ca', first)).toBe(false);
    const read = await api.getSecret('istio-system', 'ca');
    expect(read?.data.get('ca-key.pem')?.toString()).toBe('one');
    const second = { ...first, resourceVersion: read?.resourceVersion ?? '' };
    expect(await api.putSecret('istio-system', 'ca', second)).toBe(true);
    expect(await api.putSecret('istio-system', 'ca', second)).toBe(false);
    expect(asked.map(({ method, path: where }) => `${method} ${where}`).slice(0, 2)).toEqual([
      'GET /api/v1/namespaces/istio-system/secrets/ca',
      'POST /api/v1/namespaces/istio-system/secrets',
    ]);
  });

  it('say who refused what, and nothing of what is in them', async () => {
    const peer = await httpsPeer(() => ({ status: 403, body: { message: 'secrets "ca" is forbidden' } }));
    closers.push(peer.close);
    const api = createKubernetesApi({ server: new URL(peer.url), ca: peer.ca });
    const data = new Map([['ca-key.pem', Buffer.from('hunter2')]]);
    await expect(api.putSecret('a', 'ca', { type: 't', data })).rejects.toThrow(
      'Kubernetes API: Secret a/ca: 403 secrets "ca" is forbidden',
    );
  });
});

describe('access', () => {
  it('in a Pod is its own, its token read anew each time', () => {
    file('ca.crt', 'roots');
    file('token', 'first\n');
    const access = inClusterAccess({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }, folder);
    expect(access?.server.href).toBe('https://[fd00::1]:6443/');
    expect(access?.token?.()).toBe('first');
    file('token', 'second\n');
    expect(access?.token?.()).toBe('second');
    expect(inClusterAccess({}, folder)).toBeUndefined();
    expect(findAccess({})).toBeUndefined();
  });

  const kubeconfig = (cluster: string, user: string): string =>
    file(
      'config',
      `current-context: here
contexts: [{ name: here, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: "https://api.example:6443/prefix", ${cluster} } }]
users: [{ name: u, user: { ${user} } }]`,
    );

  it('by kubeconfig takes inline and named files', () => {
    file('ca.pem', 'roots');
    const key = Buffer.from('key').toString('base64');
    const found = kubeconfigAccess(
      kubeconfig('certificate-authority: ca.pem, tls-server-name: kubernetes', `client-key-data: ${key}, token: t`),
    );
    expect(found).toMatchObject({ ca: 'roots', key: 'key', servername: 'kubernetes' });
    expect(found.token?.()).toBe('t');
    expect(found.server.href).toBe('https://api.example:6443/prefix');
  });

  it.each([
    ['insecure-skip-tls-verify: true', 'token: t', /insecure-skip-tls-verify is not supported/],
    ['', 'exec: { command: aws }', /users: exec is not supported/],
  ])('by kubeconfig says what it cannot do (%s %s)', (cluster, user, message) => {
    expect(() => kubeconfigAccess(kubeconfig(cluster, user))).toThrow(message);
  });

  it('by kubeconfig names what is not there', () => {
    expect(() => kubeconfigAccess(file('config', 'current-context: away'))).toThrow(/contexts: "away" is not there/);
    expect(() => kubeconfigAccess(file('config', '{}'))).toThrow(/current-context is missing/);
  });
});
