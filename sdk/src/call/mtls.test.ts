import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, selfSigned, type TestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { createTestIdentity, type TestIdentity } from '../../../test/harness/test-identity.ts';
import { systemClock } from '../clock.ts';
import { closeOrigins, serveHttp, until } from '../connection/origin.fixture.ts';
import { MeshError } from '../errors.ts';
import { createBundles } from '../identity/bundles.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import type { HealthCheckRequest } from '../model/health-check.ts';
import type { TransportMatch, UpstreamTls } from '../model/tls.ts';
import { forward, route } from '../route/route.fixture.ts';
import { CHECK } from '../upstream/health/health.fixture.ts';
import { probeHost } from '../upstream/health/probe.ts';
import type { CheckResult } from '../upstream/health/state.ts';
import { LiveHost } from '../upstream/host.ts';
import { type Answer, type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import {
  bundleOf,
  createTestSecrets,
  idOf,
  type MutualServer,
  mutual,
  serverOf,
  transportsOf,
  workload,
} from './mtls.fixture.ts';

let ca: TestCa;
let client: TestCertificate;
beforeAll(async () => {
  ca = await createTestCa();
  client = await workload(ca, 'productpage');
});

let stage: Stage;
let identity: TestIdentity;
const servers: MutualServer[] = [];
afterEach(async () => {
  await stage.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  closeOrigins();
});

function begin(given: TestIdentity = createTestIdentity({ certificate: client, bundles: bundleOf(ca) })): void {
  identity = given;
  stage = createStage({}, undefined, { secure: transportsOf(identity) });
}

async function serving(certificate: TestCertificate, ...cas: TestCa[]): Promise<MutualServer> {
  const server = await serverOf(certificate, ...(cas.length > 0 ? cas : [ca]));
  servers.push(server);
  return server;
}

const serveReviews = async (): Promise<MutualServer> => serving(await workload(ca, 'reviews'));

type Where = number | Partial<Endpoint>;

async function call(where: Where[], more: Partial<Cluster>, action: Partial<ForwardAction> = {}, asked: Asked = {}) {
  const target = await stage.target([route('r', {}, forward({ a: 1 }, action))], { a: cluster('a', where, more) });
  const answer = await ask(stage, target, asked).ended;
  expect(activeRequests(target.upstreams.values())).toBe(0);
  return answer;
}

const outcome = (answer: Answer) => ({
  status: answer.status,
  flag: answer.call?.story.flag,
  peer: answer.call?.story.peer,
});

/** What a caller who wants errors gets. */
async function failure(where: Where[], tls: UpstreamTls, more: Partial<Cluster> = {}): Promise<MeshError> {
  const answer = await call(where, { tls, ...more }, {}, { options: { localReply: 'throw' } });
  if (!(answer.error instanceof MeshError)) throw new Error(`answered ${answer.status}`);
  return answer.error;
}

const labelled = (port: number, tlsMode: string): Partial<Endpoint> => ({
  port,
  transportMatch: new Map([['tlsMode', tlsMode]]),
});
const autoMutual = (tls: UpstreamTls): TransportMatch[] => [
  { name: 'tlsMode-istio', match: new Map([['tlsMode', 'istio']]), tls },
  { name: 'tlsMode-disabled', match: new Map(), tls: undefined },
];
const retry: RetryPolicy = {
  on: ['connect-failure'],
  retriableStatusCodes: [],
  numRetries: 2,
  baseIntervalMs: 1,
  maxIntervalMs: 2,
  previousHosts: true,
  hostSelectionAttempts: 5,
};

const CHECKED: HealthCheckRequest = {
  kind: 'http',
  path: '/',
  method: 'GET',
  requestHeaders: { set: [], remove: [] },
  expected: [{ start: 200, end: 201 }],
  retriable: [],
  http2: false,
  receive: [],
  receiveBytes: 0,
};

describe('mutual TLS', () => {
  it.each([
    ['HTTP/1.1', {}, 'http/1.1'],
    ['HTTP/2', { http2: true }, 'h2'],
    ['either', { http2IfOffered: true as const }, 'h2'],
  ])('shows who we are and knows who answers: %s', async (_, more, protocol) => {
    begin();
    const server = await serveReviews();
    const answer = await call([server.port], { tls: mutual('reviews'), ...more });
    expect(outcome(answer)).toEqual({ status: 200, flag: undefined, peer: idOf('reviews') });
    expect([...server.serverNames]).toEqual(['outbound_.9080_._.reviews.default.svc.cluster.local']);
    expect([...server.protocols]).toEqual([protocol]);
  });

  it('is for the endpoints that take it; the others are spoken to in clear (auto-mTLS)', async () => {
    begin();
    const server = await serveReviews();
    const plain = await serveHttp((_, response) => response.end('clear'));
    const more = { transportMatches: autoMutual(mutual('reviews')) };
    const where = [labelled(server.port, 'istio'), labelled(plain.port, 'disabled')];
    const target = await stage.target([route('r')], { a: cluster('a', where, more) });
    const answers = [];
    for (let count = 0; count < 6; count++) answers.push(await ask(stage, target).ended);
    expect(answers.map(({ text }) => text).sort()).toEqual(['clear', 'clear', 'clear', 'ok', 'ok', 'ok']);
    for (const answer of answers)
      expect(answer.call?.story.peer).toBe(answer.text === 'ok' ? idOf('reviews') : undefined);
  });

  it('without an identity nothing goes out; calls go on when there is one', async () => {
    begin(createTestIdentity());
    const server = await serveReviews();
    const tls = mutual('reviews');
    expect(await failure([server.port], tls)).toMatchObject({
      code: 'MESH_IDENTITY_UNAVAILABLE',
      message: expect.stringContaining('the test gave it none'),
      flag: 'UF',
      status: 503,
    });
    expect(outcome(await call([server.port], { tls }))).toMatchObject({ status: 503, flag: 'UF' });
    expect(server.counts.taken).toBe(0);
    identity.set(client, bundleOf(ca));
    expect(outcome(await call([server.port], { tls }))).toMatchObject({ status: 200 });
  });

  it('a peer that is refused is never left for one in clear, retries or not', async () => {
    begin();
    const wrong = await serving(await workload(ca, 'ratings'));
    const plain = await serveHttp((_, response) => response.end('clear'));
    const more = { transportMatches: autoMutual(mutual('reviews')) };
    const where = [labelled(wrong.port, 'istio'), plain.port];
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { retry }))], { a: cluster('a', where, more) });
    const answer = await ask(stage, target).ended;
    expect(outcome(answer)).toMatchObject({ status: 503, flag: 'UF' });
    expect(answer.call?.story.attempts).toHaveLength(1);
    expect(plain.connections).toBe(0);
    // By itself it is as good a host as any.
    expect(outcome(await call([plain.port], more))).toMatchObject({ status: 200 });
  });

  it('a retry after a change to mutual TLS does not go in clear, though its call began so', async () => {
    begin();
    const server = await serveReviews();
    const states = [{}, { tls: mutual('reviews') }].map((more) => cluster('a', [server.port], more));
    const [plain, secured] = states.flatMap((state) => (state.kind === 'ready' ? [state] : []));
    if (plain === undefined || secured === undefined) throw new Error('no cluster');
    const again = { ...retry, on: ['reset'] };
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { retry: again }))], { a: plain });
    const answer = ask(stage, target);
    // Under way in clear, to a server that speaks TLS alone.
    target.upstreams.get('a')?.update(secured.config);
    expect(outcome(await answer.ended)).toEqual({ status: 200, flag: undefined, peer: idOf('reviews') });
    expect(answer.call?.story.attempts.length).toBeGreaterThan(1);
  });

  it('a peer that is refused is retried where there is another by TLS', async () => {
    begin();
    const wrong = await serving(await workload(ca, 'ratings'));
    const right = await serveReviews();
    const answer = await call([wrong.port, right.port], { tls: mutual('reviews') }, { retry });
    expect(outcome(answer)).toMatchObject({ status: 200, peer: idOf('reviews') });
  });

  it('a peer that is refused counts against its host as a failed connection', async () => {
    begin();
    const wrong = await serving(await workload(ca, 'ratings'));
    const target = await stage.target([route('r')], { a: cluster('a', [wrong.port], { tls: mutual('reviews') }) });
    await ask(stage, target).ended;
    const upstream = target.upstreams.get('a');
    const pick = upstream?.pick({});
    expect(pick?.kind === 'pick' && pick.host.failures).toBe(1);
    if (pick?.kind === 'pick') pick.release();
  });

  it('pins are verified beside the names', async () => {
    begin();
    const reviews = await workload(ca, 'reviews');
    const server = await serving(reviews);
    const { publicKey, raw } = reviews.certificate;
    const sha256 = (bytes: Uint8Array) =>
      process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('base64');
    const key = { of: 'public-key', sha256: sha256(publicKey.export({ type: 'spki', format: 'der' })) } as const;
    const other = { of: 'certificate', sha256: 'A'.repeat(43).concat('=') } as const;
    const tls = mutual('reviews');
    expect((await call([server.port], { tls: { ...tls, pins: [other, key] } })).status).toBe(200);
    const whole = { of: 'certificate', sha256: sha256(raw) } as const;
    expect((await call([server.port], { tls: { ...tls, pins: [whole] } })).status).toBe(200);
    expect(await failure([server.port], { ...tls, pins: [other] })).toMatchObject({
      code: 'MESH_PEER_REFUSED',
      message: expect.stringContaining('none of those pinned'),
    });
  });

  it('the name asked for is verified too where that is asked for (auto_san_validation)', async () => {
    begin();
    const both = { dns: ['reviews.test'] };
    const server = await serving(await workload(ca, 'reviews', both));
    const tls = { ...mutual('reviews'), verifiesSni: true as const };
    expect((await call([server.port], { tls: { ...tls, sni: 'reviews.test' } })).status).toBe(200);
    expect(await failure([server.port], tls)).toMatchObject({ message: expect.stringContaining('has no DNS name') });
  });

  it('SNI is the request’s host or the endpoint’s name where that is asked for (auto_sni, auto_host_sni)', async () => {
    begin();
    const server = await serveReviews();
    const tls = mutual('reviews');
    await call([server.port], { tls: { ...tls, sniFrom: 'authority' } }, {}, { authority: 'reviews:9080' });
    const named = { port: server.port, hostname: 'one.test' };
    await call([named], { tls: { ...tls, sniFrom: 'endpoint' } });
    await call([server.port], { tls: { ...tls, sniFrom: 'endpoint', sni: 'all.test' } });
    expect([...server.serverNames]).toEqual(['reviews', 'one.test', 'all.test']);
  });
});

describe('whatever else goes out', () => {
  it('a mirrored request shows who we are, too', async () => {
    begin();
    const own = await serveReviews();
    const shadow = await serving(await workload(ca, 'shadow'));
    const always = { numerator: 100, denominator: 100 } as const;
    const mirrors = [{ cluster: 'm', fraction: always, shadowSuffix: true }];
    const target = await stage.target([route('r', {}, forward({ a: 1 }, { mirrors }))], {
      a: cluster('a', [own.port], { tls: mutual('reviews') }),
      m: cluster('m', [shadow.port], { tls: mutual('shadow') }),
    });
    expect((await ask(stage, target).ended).status).toBe(200);
    await until(() => shadow.counts.taken === 1 && activeRequests(target.upstreams.values()) === 0);
    identity.set(undefined);
    // Without an identity neither goes out.
    expect((await ask(stage, target).ended).status).toBe(503);
    await until(() => activeRequests(target.upstreams.values()) === 0);
    expect(shadow.counts.taken).toBe(1);
  });

  it.each([
    ['http', { ...CHECKED }],
    ['http by HTTP/2', { ...CHECKED, http2: true }],
    ['tcp', { kind: 'tcp', receive: [] } as const],
  ])('a health check does: %s', async (_, check) => {
    begin();
    const server = await serveReviews();
    const probe = (tls: UpstreamTls) =>
      new Promise<CheckResult>((resolve) => {
        const state = cluster('a', [server.port], { tls });
        const config = state.kind === 'ready' ? state.config : undefined;
        const endpoint = config?.assignment?.localities[0]?.endpoints[0];
        if (config === undefined || endpoint === undefined) throw new Error('no endpoint');
        const host = new LiveHost(endpoint, { locality: { region: '', zone: '', subZone: '' }, priority: 0 });
        const target = {
          host,
          cluster: config.cluster,
          clock: systemClock,
          check: { ...CHECK, timeoutMs: 5_000, check },
        };
        probeHost(target, resolve, transportsOf(identity));
      });
    expect(await probe(mutual('reviews'))).toMatchObject({ kind: 'ok' });
    expect(await probe(mutual('ratings'))).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('refused (wrong-name)'),
    });
  });
});

describe('a certificate and roots by SDS (DestinationRule credentialName)', () => {
  const tls: UpstreamTls = {
    ...mutual('reviews'),
    certificate: { kind: 'secret', name: 'kubernetes://c' },
    roots: { kind: 'secret', name: 'kubernetes://c-cacert' },
  };

  it('fail closed while they are missing, name what is, and come to life when they come', async () => {
    const secrets = createTestSecrets();
    begin(createTestIdentity());
    stage = createStage({}, undefined, { secure: transportsOf(identity, secrets) });
    const server = await serveReviews();
    expect(await failure([server.port], tls)).toMatchObject({
      code: 'MESH_IDENTITY_UNAVAILABLE',
      message: expect.stringContaining('kubernetes://c '),
    });
    secrets.set('kubernetes://c', { certificate: { chain: client.pem, key: client.key } });
    expect((await failure([server.port], tls)).message).toContain('kubernetes://c-cacert ');
    expect(server.counts.taken).toBe(0);
    secrets.set('kubernetes://c-cacert', { roots: { pems: [ca.pem], revoked: [] } });
    expect((await call([server.port], { tls })).status).toBe(200);
    const foreign = await createTestCa({ subject: 'CN=foreign' });
    secrets.set('kubernetes://c-cacert', { roots: { pems: [foreign.pem], revoked: [] } });
    expect((await failure([server.port], tls)).code).toBe('MESH_PEER_REFUSED');
  });
});

describe('each wrong peer is refused with its own reason, on the first and on later connections', () => {
  const hour = 3_600_000;
  const uris = [idOf('reviews')];
  const cases: [string, () => Promise<TestCertificate>, string][] = [
    ['wrong-name', () => workload(ca, 'ratings'), idOf('ratings')],
    ['wrong-trust-domain', () => ca.issue({ uris: ['spiffe://other.test/ns/default/sa/reviews'] }), 'other.test'],
    ['several-uri-sans', () => ca.issue({ uris: [...uris, 'spiffe://cluster.local/ns/b/sa/c'] }), '2 URIs'],
    ['no-uri-san', () => ca.issue({ dns: ['reviews'] }), 'no URI'],
    ['not-spiffe', () => ca.issue({ uris: ['https://reviews'] }), 'https://reviews'],
    ['expired', () => workload(ca, 'reviews', { notAfterMs: Date.now() - hour / 2 }), 'expired at'],
    ['not-yet-valid', () => workload(ca, 'reviews', { notBeforeMs: Date.now() + hour }), 'is valid from'],
    ['wrong-usage', () => workload(ca, 'reviews', { uses: ['client'] }), 'not for a TLS server'],
    ['self-signed', () => selfSigned({ uris }), 'signed by its own key'],
    [
      'unknown-root',
      async () => workload(await createTestCa({ subject: 'CN=foreign' }), 'reviews'),
      'does not lead to',
    ],
    ['is-ca', () => workload(ca, 'reviews', { isCa: true }), "is a CA's"],
  ];
  it.each(cases)('%s', async (code, make, words) => {
    begin();
    const server = await serving(await make());
    for (let turn = 0; turn < 3; turn++) {
      const error = await failure([server.port], mutual('reviews'));
      expect(error).toMatchObject({ code: 'MESH_PEER_REFUSED', flag: 'UF', status: 503 });
      expect(error.message).toContain(`refused (${code})`);
      expect(error.message).toContain(words);
    }
    const answer = await call([server.port], { tls: mutual('reviews') });
    expect(answer.call?.story.attempts.at(-1)?.reason).toContain(`refused (${code})`);
  });

  it('revoked', async () => {
    const reviews = await workload(ca, 'reviews');
    const server = await serving(reviews);
    const bundles = createBundles([['cluster.local', [ca.pem]]], [await ca.crl(reviews)]);
    begin(createTestIdentity({ certificate: client, bundles }));
    const error = await failure([server.port], mutual('reviews'));
    expect(error.message).toContain('refused (revoked)');
  });

  it('no TLS at all', async () => {
    begin();
    const plain = await serveHttp((_, response) => response.end('clear'));
    const error = await failure([plain.port], mutual('reviews'));
    expect(error).toMatchObject({ code: 'MESH_CONNECT_FAILED', flag: 'UF', status: 503 });
    expect(error.message).toContain('TLS_error');
  });
});

describe('a new identity', () => {
  it.each([
    ['HTTP/1.1', {}, 100],
    ['HTTP/2', { http2: true }, 2_000],
  ])(
    'fails no request that is under way, over and over: %s',
    async (_, more, atOnce) => {
      begin();
      const answering = await serveReviews();
      const tls = mutual('reviews');
      const target = await stage.target([route('r')], { a: cluster('a', [answering.port], { tls, ...more }) });
      const statuses = new Map<number, number>();
      let left = 4 * atOnce;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const { status, error } = await ask(stage, target).ended;
          expect(error).toBeUndefined();
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      };
      const workers = Array.from({ length: atOnce }, worker);
      // Each time about a quarter of them has been answered, both ends get new certificates, and once a new root.
      const other = await createTestCa({ subject: 'CN=next root' });
      const turns = [ca, ca, other].map((by) => [by, bundleOf(ca, other)] as const);
      for (const [index, [by, bundles]] of turns.entries()) {
        await until(() => (statuses.get(200) ?? 0) >= (index + 1) * 0.8 * atOnce);
        answering.identity.set(answering.identity.current() && (await workload(ca, 'reviews')), bundles);
        identity.set(await workload(by, 'productpage'), bundles);
      }
      await Promise.all(workers);
      expect([...statuses]).toEqual([[200, 4 * atOnce]]);
      expect(answering.counts.taken).toBeGreaterThan(1);
    },
    120_000,
  );

  it('makes new connections; those of before that are idle are closed, each at a time of its own', async () => {
    begin();
    const server = await serveReviews();
    const target = await stage.target([route('r')], { a: cluster('a', [server.port], { tls: mutual('reviews') }) });
    await ask(stage, target).ended;
    await ask(stage, target).ended;
    expect(server.counts.taken).toBe(1);
    identity.set(await workload(ca, 'productpage'), bundleOf(ca));
    await ask(stage, target).ended;
    expect(server.counts.taken).toBe(2);
    await until(() => server.counts.open === 1);
  }, 30_000);

  it('without the root of a peer closes the connection to it, busy or not', async () => {
    begin();
    const next = await createTestCa({ subject: 'CN=next root' });
    const server = await serving(await workload(ca, 'reviews'), ca, next);
    const target = await stage.target([route('r')], { a: cluster('a', [server.port], { tls: mutual('reviews') }) });
    await ask(stage, target).ended;
    expect(server.counts.open).toBe(1);
    identity.set(await workload(next, 'productpage'), bundleOf(next));
    await until(() => server.counts.open === 0);
    expect((await ask(stage, target).ended).status).toBe(503);
  }, 30_000);

  it('with a list that revokes a peer closes the connection to it', async () => {
    begin();
    const reviews = await workload(ca, 'reviews');
    const server = await serving(reviews);
    const target = await stage.target([route('r')], { a: cluster('a', [server.port], { tls: mutual('reviews') }) });
    await ask(stage, target).ended;
    identity.set(client, createBundles([['cluster.local', [ca.pem]]], [await ca.crl(reviews)]));
    await until(() => server.counts.open === 0);
  }, 30_000);
});
