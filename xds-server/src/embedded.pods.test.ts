import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, httpsPeer } from './auth/https-peer.fixture.ts';
import { closeAll, node, setUp, until } from './embedded/secure-mesh.fixture.ts';
import type { Shown } from './embedded/secure-peer.fixture.ts';
import { memorySource } from './source/memory.ts';
import { LISTENER_TYPE } from './translate/resource-types.ts';

/** Processes that prove their Pod by a token which a Kubernetes API server reviews. */

interface PodShape {
  readonly namespace?: string;
  readonly account: string;
  readonly node?: string;
  readonly uid?: string | false;
  readonly phase?: string;
  readonly labels?: string;
}

const pod = (name: string, { namespace = 'shop', account, node: on, uid, phase, labels = '' }: PodShape): string => `
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { ${labels} }${uid === false ? '' : `, uid: ${uid ?? `uid-${name}`}`} }
spec: { serviceAccountName: ${account}, containers: [{ name: a, image: a }]${on === undefined ? '' : `, nodeName: ${on}`} }
status: { phase: ${phase ?? 'Running'} }
`;
const AGENT = { namespace: 'istio-system', account: 'ztunnel' };

const PODS = [
  pod('ztunnel-1', { ...AGENT, node: 'node-1' }),
  pod('ztunnel-2', { ...AGENT, node: 'node-2' }),
  pod('ztunnel-byhand', { ...AGENT, node: 'node-1', uid: false }),
  pod('ztunnel-over', { ...AGENT, node: 'node-1', phase: 'Failed' }),
  pod('web-1', { account: 'web', node: 'node-1', labels: 'app: web' }),
  pod('cart-1', { account: 'cart', node: 'node-2' }),
  pod('job-1', { account: 'job', node: 'node-1', phase: 'Succeeded' }),
  pod('later-1', { account: 'later' }),
  `
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: shop }
spec: { selector: { matchLabels: { app: web } }, mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: admin, namespace: shop }
spec: { selector: { matchLabels: { app: admin } }, mtls: { mode: DISABLE } }
`,
].join('');

let folder = '';
const closers: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-pods-'));
});
afterEach(async () => {
  await closeAll();
  for (const close of closers.splice(0)) await close();
  delete process.env.KUBECONFIG;
  rmSync(folder, { recursive: true, force: true });
});

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** As the API server would sign it; who it is of stands in it, for the one here to answer. */
function tokenOf(namespace: string, account: string, bound: { pod?: string; uid?: string; node?: string } = {}): Shown {
  const sub = `system:serviceaccount:${namespace}:${account}`;
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  return { token: `${part({ alg: 'RS256' })}.${part({ aud: ['istio-ca'], sub, exp, bound })}.c2ln` };
}

function review(token: string): Answer {
  const { sub, bound } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string;
    bound: { pod?: string; uid?: string; node?: string };
  };
  const extra = {
    ...(bound.pod && { 'authentication.kubernetes.io/pod-name': [bound.pod] }),
    ...(bound.pod && { 'authentication.kubernetes.io/pod-uid': [bound.uid ?? `uid-${bound.pod}`] }),
    ...(bound.node && { 'authentication.kubernetes.io/node-name': [bound.node] }),
  };
  const status = { authenticated: true, audiences: ['istio-ca'], user: { username: sub, extra } };
  return { status: 201, body: { status } };
}

async function cluster(nodeAgents?: readonly string[]) {
  const api = await httpsPeer(({ body }) => review((body as { spec: { token: string } }).spec.token));
  closers.push(api.close);
  const kubeconfig = {
    clusters: [
      { name: 'c', cluster: { server: api.url, 'certificate-authority-data': Buffer.from(api.ca).toString('base64') } },
    ],
    users: [{ name: 'u', user: { token: 'own' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  process.env.KUBECONFIG = path.join(folder, 'kubeconfig');
  writeFileSync(process.env.KUBECONFIG, JSON.stringify(kubeconfig));
  const ca = path.join(folder, 'ca');
  const source = memorySource(PODS);
  const world = await setUp({
    source,
    ca: { directory: ca },
    authentication: { kubernetes: true, ...(nodeAgents && { nodeAgents }) },
  });
  const audit = () =>
    readFileSync(path.join(ca, 'issued.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line): { via?: string } => JSON.parse(line))
      // The control plane's own.
      .filter(({ via }) => via !== 'in-process');
  return { ...world, source, audit };
}

const ZTUNNEL = 'istio-system/ztunnel';
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const idOf = (account: string) => `spiffe://cluster.local/ns/shop/sa/${account}`;

describe('a node agent asks for a certificate of somebody else', () => {
  it('has it for what runs on its own node; the audit log names both', async () => {
    const { tls, audit } = await cluster([ZTUNNEL]);
    const agent = tls(tokenOf('istio-system', 'ztunnel', { pod: 'ztunnel-1' }));
    const { chain } = await agent.certificate('', 0, WEB);
    expect(new X509Certificate(chain).subjectAltName).toBe(`URI:${WEB}`);
    expect(audit()).toMatchObject([
      {
        principal: 'spiffe://cluster.local/ns/istio-system/sa/ztunnel',
        via: 'kubernetes',
        names: [`URI:${WEB}`],
        outcome: 'issued',
      },
    ]);
  });

  it('whose Pod was written without a uid, where its token is bound to the node', async () => {
    const { tls } = await cluster([ZTUNNEL]);
    const bound = tokenOf('istio-system', 'ztunnel', { pod: 'ztunnel-byhand', node: 'node-1' });
    expect((await tls(bound).certificate('', 0, WEB)).chain).toContain('BEGIN CERTIFICATE');
    const unbound = tls(tokenOf('istio-system', 'ztunnel', { pod: 'ztunnel-byhand' }));
    await expect(unbound.certificate('', 0, WEB)).rejects.toThrow(/UNAUTHENTICATED/);
  });

  const agent = (bound: object) => tokenOf('istio-system', 'ztunnel', bound);
  it.each([
    ['what runs on another node', agent({ pod: 'ztunnel-1' }), 'cart', /nothing runs as shop\/cart on node node-1/],
    ['what has ended', agent({ pod: 'ztunnel-1' }), 'job', /nothing runs as shop\/job/],
    ['what is on no node yet', agent({ pod: 'ztunnel-1' }), 'later', /nothing runs as shop\/later/],
    ['who runs nowhere', agent({ pod: 'ztunnel-1' }), 'ghost', /nothing runs as shop\/ghost/],
    ['from a Pod that is not known', agent({ pod: 'ztunnel-9' }), 'web', /pod istio-system\/ztunnel-9 is not there/],
    ['from a Pod that has ended', agent({ pod: 'ztunnel-over' }), 'web', /ztunnel-over is not there/],
    ['from a Pod that came before', agent({ pod: 'ztunnel-1', uid: 'old' }), 'web', /is another one by now/],
    ['with a token of another node', agent({ pod: 'ztunnel-1', node: 'node-2' }), 'web', /made for node-2/],
    ['without a proven Pod', agent({ node: 'node-1' }), 'web', /proved no pod/],
    ['as no node agent', tokenOf('shop', 'web', { pod: 'web-1' }), 'cart', /shop\/web is no node agent/],
    ['under a name that is in no Pod of its own', tokenOf('shop', 'web', { pod: 'ztunnel-1' }), 'web', /no node agent/],
  ])('is refused: %s; why is for the log alone', async (_what, shown, account, why) => {
    const { tls, audit } = await cluster([ZTUNNEL]);
    await expect(tls(shown).certificate('', 0, idOf(account))).rejects.toThrow(
      /^UNAUTHENTICATED request impersonation authentication failure$/,
    );
    expect(audit()).toMatchObject([
      { outcome: 'refused', names: [`URI:${idOf(account)}`], message: expect.stringMatching(why) },
    ]);
  });

  it('is refused by a bootstrap token and by a certificate, which prove no node', async () => {
    const { tls, token, audit } = await cluster([ZTUNNEL]);
    const byToken = tls({ token: await token('istio-system', 'ztunnel') });
    await expect(byToken.certificate('', 0, WEB)).rejects.toThrow(/UNAUTHENTICATED/);
    const certificate = await byToken.certificate();
    await expect(tls({ certificate }).certificate('', 0, WEB)).rejects.toThrow(/UNAUTHENTICATED/);
    expect(audit().filter((line) => JSON.stringify(line).includes('proved no pod'))).toHaveLength(2);
  });

  it('is refused where nobody was named; a name that can be none is refused at once', async () => {
    const { tls } = await cluster();
    const asked = tls(agent({ pod: 'ztunnel-1' })).certificate('', 0, WEB);
    await expect(asked).rejects.toThrow(/UNAUTHENTICATED/);
    await expect(cluster(['ztunnel'])).rejects.toThrow(/nodeAgents: got "ztunnel", want NAMESPACE\/SERVICE-ACCOUNT/);
  });
});

describe('a workload that has proven its Pod', () => {
  const INBOUND = 'xds.istio.io/grpc/lds/inbound/127.0.0.1:9080';
  /** What PeerAuthentication was chosen by its labels. */
  const isChosenAs = async (world: Awaited<ReturnType<typeof cluster>>, labels: object, bound: object) => {
    const stream = world
      .tls(tokenOf('shop', 'web', bound))
      .stream(
        node('web-1', { LABELS: { ...labels }, INMESH_REGISTER: [{ service: 'reviews', port: 1, version: 'v9' }] }),
      );
    stream.ask(LISTENER_TYPE, INBOUND);
    await until(() => stream.heard.size).toBe(1);
    return stream;
  };

  it('has that one’s labels, whatever it says, also where it registers itself; they are followed', async () => {
    const world = await cluster();
    const stream = await isChosenAs(world, { app: 'admin', version: 'v9' }, { pod: 'web-1' });
    const honest = (await isChosenAs(world, { app: 'web' }, { pod: 'web-1' })).heard.get(INBOUND);
    expect(stream.heard.get(INBOUND)).toBe(honest);
    const own = () => Object.fromEntries(world.server.workload('shop', 'web-1')?.labels ?? []);
    expect(own()).toEqual({ app: 'web' });
    expect(world.told.join('\n')).toMatch(/web-1: LABELS: app, version: not so on its Pod, whose labels count/);
    world.source.apply(pod('web-1', { account: 'web', node: 'node-1', labels: 'app: admin' }));
    await until(() => stream.heard.get(INBOUND)).not.toBe(honest);
    await until(own).toEqual({ app: 'admin' });
  });

  it('whose Pod is not known has those it says', async () => {
    const world = await cluster();
    const unknown = (await isChosenAs(world, { app: 'admin' }, { pod: 'web-2' })).heard.get(INBOUND);
    const known = (await isChosenAs(world, { app: 'admin' }, { pod: 'web-1' })).heard.get(INBOUND);
    expect(unknown).not.toBe(known);
  });
});
