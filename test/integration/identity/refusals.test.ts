import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { MeshEvent } from '../../../sdk/src/index.ts';
import { guard, peerOf } from '../../../sdk/src/server/index.ts';
import { createAuthority } from '../../../xds-server/src/ca/authority.ts';
import {
  type CertificateOptions,
  createTestCa,
  selfSigned,
  type TestCa,
  type TestCertificate,
} from '../../harness/certificates.ts';
import { idOf, peerAuthentication, service, startWorld, type World } from '../../harness/secure-world.ts';

/** Bad certificates over real TLS, both ways, between an SDK or a guarded server and a peer that is Node's own TLS. */

let world: World;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await world.close();
});

const HOUR_MS = 3_600_000;
const REVIEWS = 'http://reviews.shop:9080/';
const THROWN = { mesh: { localReply: 'throw' } } as const;
const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 20 });

/** What is wrong, the code of its refusal, and the certificate for this id. */
type Bad = readonly [
  string,
  string,
  (ca: TestCa, uri: string, purpose: 'server' | 'client') => Promise<TestCertificate>,
];

const of =
  (options: (uri: string) => CertificateOptions) =>
  (ca: TestCa, uri: string): Promise<TestCertificate> =>
    ca.issue({ uris: [uri], ...options(uri) });

const BAD: readonly Bad[] = [
  ['another trust domain', 'wrong-trust-domain', of(() => ({ uris: ['spiffe://evil.test/ns/shop/sa/reviews'] }))],
  ['two URIs', 'several-uri-sans', of((uri) => ({ uris: [uri, `${uri}2`] }))],
  ['two URIs, one of them no SPIFFE ID', 'several-uri-sans', of((uri) => ({ uris: [uri, 'https://reviews.shop/'] }))],
  ['a DNS name alone', 'no-uri-san', of(() => ({ uris: [], dns: ['reviews.shop', 'reviews.shop.svc.cluster.local'] }))],
  ['a URI that is no SPIFFE ID', 'not-spiffe', of(() => ({ uris: ['https://cluster.local/ns/shop/sa/reviews'] }))],
  ['an end that is past', 'expired', of(() => ({ notAfterMs: Date.now() - 60_000 }))],
  ['a beginning to come', 'not-yet-valid', of(() => ({ notBeforeMs: Date.now() + HOUR_MS }))],
  [
    'the other purpose',
    'wrong-usage',
    (ca, uri, purpose) => ca.issue({ uris: [uri], uses: [purpose === 'server' ? 'client' : 'server'] }),
  ],
  ['its own signature', 'self-signed', (_, uri) => selfSigned({ uris: [uri] })],
  [
    'a foreign root',
    'unknown-root',
    async (_, uri) => (await createTestCa({ subject: 'CN=f' })).issue({ uris: [uri] }),
  ],
  [
    'a foreign root of the same name',
    'unknown-root',
    async (_, uri) => (await createTestCa({ subject: 'CN=test root' })).issue({ uris: [uri] }),
  ],
  ['the right to sign', 'is-ca', of(() => ({ isCa: true }))],
];

/** Reviews as a program of its own has it, not ours. It counts what gets as far as a request. */
async function foreignServer(certificate: TestCertificate) {
  const own = ({ pem, keyPem }: TestCertificate) => ({ cert: pem, key: keyPem });
  let requests = 0;
  const app = https.createServer({ ...own(certificate), requestCert: true, ca: world.ca.pem }, (_, response) => {
    requests += 1;
    response.end('reached');
  });
  app.on('tlsClientError', () => {});
  app.listen(0, '127.0.0.1');
  await new Promise((resolve) => app.once('listening', resolve));
  closers.push(() => {
    app.close();
    app.closeAllConnections();
  });
  return {
    port: (app.address() as AddressInfo).port,
    requests: () => requests,
    present: (next: TestCertificate) => app.setSecureContext({ ...own(next), ca: world.ca.pem }),
  };
}

/** A control plane, and the SDK of `web` beside a foreign `reviews`. */
async function callForeign(make: Bad[2]) {
  world = await startWorld(peerAuthentication('STRICT'));
  const bad = await make(world.ca, idOf('reviews'), 'server');
  const server = await foreignServer(bad);
  world.source.apply(service('reviews', 'reviews', server.port));
  const { mesh } = await world.mesh('web');
  await mesh.ready({ hosts: [REVIEWS], timeoutMs: 60_000 });
  const call = () => mesh.fetch(REVIEWS, THROWN).then((answer) => answer.text(), String);
  return { server, call };
}

describe('a server that presents a certificate with', { timeout: 60_000 }, () => {
  it.each<Bad>([['another name', 'wrong-name', of(() => ({ uris: [idOf('ratings')] }))], ...BAD])(
    '%s is refused (%s) at every call, and sent nothing; with a good one it is called',
    async (_, code, make) => {
      const { server, call } = await callForeign(make);
      for (let time = 0; time < 3; time++) {
        const said = await call();
        expect(said).toContain('MESH_PEER_REFUSED');
        expect(said).toContain(`the server was refused (${code})`);
      }
      expect(await Promise.all([call(), call(), call()])).toEqual(
        Array.from({ length: 3 }, () => expect.stringContaining(`(${code})`)),
      );
      expect(server.requests()).toBe(0);
      server.present(await world.ca.issue({ uris: [idOf('reviews')] }));
      expect(await call()).toBe('reached');
    },
  );
});

/** `reviews` as a guarded server, and what it has refused. */
async function startReviews() {
  world = await startWorld(service('reviews', 'reviews', 1) + peerAuthentication('STRICT'));
  const { mesh, events } = await world.mesh('reviews');
  let requests = 0;
  const app = http.createServer((request, response) => {
    requests += 1;
    response.end(peerOf(request)?.id ?? 'nobody');
  });
  const guarded = guard(app, { mesh, host: '127.0.0.1' });
  closers.push(() => guarded.close({ graceMs: 0 }));
  const { port } = await guarded.listen(0);
  return { port, events, requests: () => requests };
}

const refusals = (events: readonly MeshEvent[]): readonly string[] =>
  events.filter((event) => event.kind === 'inbound-refused').map(({ message }) => message);

/** A client that has no mesh. */
function call(port: number, certificate: TestCertificate | undefined, agent?: https.Agent): Promise<string> {
  const own = certificate && { cert: certificate.pem, key: certificate.keyPem };
  const options: https.RequestOptions = { host: '127.0.0.1', port, ca: world.ca.pem, agent: agent ?? false, ...own };
  return new Promise((resolve) => {
    const request = https.get({ ...options, checkServerIdentity: () => undefined }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
      response.on('error', (error) => resolve(String(error)));
    });
    request.on('error', (error) => resolve(String(error)));
  });
}

describe('a client that presents a certificate with', { timeout: 60_000 }, () => {
  it.each(BAD)(
    '%s is refused (%s) by a guarded server, every time; with a good one it is served',
    async (_, code, make) => {
      const { port, events, requests } = await startReviews();
      const bad = await make(world.ca, idOf('web'), 'client');
      const good = await world.ca.issue({ uris: [idOf('web')] });
      expect(await call(port, good)).toBe(idOf('web'));
      for (let time = 0; time < 3; time++) expect(await call(port, bad)).toMatch(/Error/);
      await until(() => refusals(events).length).toBe(3);
      for (const said of refusals(events)) expect(said).toContain(`the client was refused (${code})`);
      expect(requests()).toBe(1);
      expect(await call(port, good)).toBe(idOf('web'));
    },
  );

  it('nothing is refused (no-certificate)', async () => {
    const { port, events } = await startReviews();
    for (let time = 0; time < 3; time++) expect(await call(port, undefined)).toMatch(/Error/);
    await until(() => refusals(events).length).toBe(3);
    for (const said of refusals(events)) expect(said).toContain('(no-certificate)');
  });
});

describe('a certificate that is revoked', { timeout: 120_000 }, () => {
  const revoke = async (serial: string): Promise<void> => {
    const operator = await createAuthority({ trustDomain: 'cluster.local', directory: world.caFolder });
    await operator.revoke(serial);
    operator.close();
  };

  it('is refused of a client: its connections end, and later ones are not taken', async () => {
    const { port, events } = await startReviews();
    const [client, other] = [
      await world.ca.issue({ uris: [idOf('web')] }),
      await world.ca.issue({ uris: [idOf('web')] }),
    ];
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    closers.push(() => agent.destroy());
    expect(await call(port, client, agent)).toBe(idOf('web'));
    await revoke(client.certificate.serialNumber);
    await until(() => call(port, client)).toMatch(/Error/);
    expect(await call(port, client, agent)).toMatch(/Error/);
    expect(refusals(events).at(-1)).toContain('the client was refused (revoked)');
    expect(await call(port, other)).toBe(idOf('web'));
  });

  it('is refused of a server, at once and later', async () => {
    const { server, call: ask } = await callForeign((ca, uri) => ca.issue({ uris: [uri], serial: '4a' }));
    expect(await ask()).toBe('reached');
    await revoke('4a');
    await until(ask).toContain('the server was refused (revoked)');
    for (let time = 0; time < 3; time++) expect(await ask()).toContain('(revoked)');
    const requests = server.requests();
    expect(await ask()).toContain('(revoked)');
    expect(server.requests()).toBe(requests);
  });
});
