import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, selfSigned, type TestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { closeAll, node, PRIVATE, setUp, until } from '../embedded/secure-mesh.fixture.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';

let folder = '';
afterEach(async () => {
  await closeAll();
  rmSync(folder, { recursive: true, force: true });
});

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const DAY_MS = 86_400_000;

let ca: TestCa;
let foreign: TestCa;
beforeAll(async () => {
  ca = await createTestCa({ subject: 'CN=plugged in' });
  foreign = await createTestCa({ subject: 'CN=somebody else' });
});

/** A control plane whose CA is plugged in, so that a test can issue what it never would. */
function pluggedIn(crl?: string) {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-door-'));
  const files = { 'ca-cert.pem': ca.pem, 'ca-key.pem': ca.keyPem, 'cert-chain.pem': ca.pem, 'root-cert.pem': ca.pem };
  for (const [name, text] of Object.entries({ ...files, ...(crl && { 'ca-crl.pem': crl }) }))
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  return setUp({ ca: { directory: folder } }, { admin: '127.0.0.1:0' });
}

const shown = ({ pem, keyPem }: TestCertificate) => ({ certificate: { chain: pem, key: keyPem } });

describe('a client certificate', () => {
  const cases: readonly [string, RegExp, () => Promise<TestCertificate>][] = [
    ['of a foreign root', /unknown-root/, () => foreign.issue({ uris: [WEB] })],
    ['that signed itself', /self-signed|unknown-root/, () => selfSigned({ uris: [WEB] })],
    ['with two names', /several-uri-sans/, () => ca.issue({ uris: [WEB, 'spiffe://cluster.local/ns/shop/sa/root'] })],
    ['with a DNS name alone', /no-uri-san/, () => ca.issue({ dns: ['web.shop'] })],
    [
      'that has expired',
      /expired/,
      () => ca.issue({ uris: [WEB], notBeforeMs: Date.now() - 2 * DAY_MS, notAfterMs: Date.now() - DAY_MS }),
    ],
    [
      'that is not valid yet',
      /not-yet-valid/,
      () => ca.issue({ uris: [WEB], notBeforeMs: Date.now() + DAY_MS, notAfterMs: Date.now() + 2 * DAY_MS }),
    ],
    ['for servers only', /wrong-usage/, () => ca.issue({ uris: [WEB], uses: ['server'] })],
    [
      'of another trust domain',
      /wrong-trust-domain/,
      () => ca.issue({ uris: ['spiffe://evil.example/ns/shop/sa/web'] }),
    ],
    ['that may sign', /is-ca/, () => ca.issue({ uris: [WEB], isCa: true, uses: ['client'] })],
  ];
  it.each(cases)('%s opens nothing; client and log are told why', async (_what, why, make) => {
    const { tls, told } = await pluggedIn();
    const stream = tls(shown(await make())).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED certificate: [-a-z]+: /);
    expect(stream.ended()).toMatch(why);
    expect(stream.heard.size).toBe(0);
    expect(told.join('\n')).toMatch(why);
  });

  it('that was revoked opens nothing', async () => {
    const certificate = await ca.issue({ uris: [WEB] });
    const { tls, told } = await pluggedIn(await ca.crl(certificate));
    const peer = tls(shown(certificate));
    const stream = peer.stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED certificate: .*revoked/);
    expect(told.join('\n')).toMatch(/revoked/);
    await expect(peer.certificate()).rejects.toThrow(/UNAUTHENTICATED certificate: .*revoked/);
  });

  it('that is refused is on the page of refusals, with the reason; no credential is', async () => {
    const { tls, listening } = await pluggedIn();
    const bad = shown(await foreign.issue({ uris: [WEB] }));
    await expect(tls(bad).certificate()).rejects.toThrow(/unknown-root/);
    await expect(tls({ token: 'garbage' }).certificate()).rejects.toThrow(/UNAUTHENTICATED/);
    const page = await (await fetch(`http://${listening.admin}/refusals`)).text();
    expect(JSON.parse(page)).toMatchObject([
      { address: '127.0.0.1', reason: 'malformed' },
      { address: '127.0.0.1', reason: 'certificate', message: expect.stringContaining('unknown-root') },
    ]);
    expect(page).not.toContain('garbage');
  });

  it('that is refused ends the connection with the call: the next one may show a better one', async () => {
    const { listening, roots } = await pluggedIn();
    const bad = await foreign.issue({ uris: [WEB] });
    const client = http2.connect(`https://${listening.secure}`, {
      ca: roots.join('\n'),
      servername: 'localhost',
      cert: bad.pem,
      key: bad.keyPem,
    });
    client.on('error', () => {});
    const call = client.request({
      ':method': 'POST',
      ':path': '/istio.v1.auth.IstioCertificateService/CreateCertificate',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.on('error', () => {});
    call.end(Buffer.alloc(5));
    await once(client, 'close');
  });

  it('that is refused spoils no token that is good', async () => {
    const { tls, token } = await pluggedIn();
    const bad = shown(await foreign.issue({ uris: ['spiffe://cluster.local/ns/shop/sa/root'] }));
    const stream = tls({ ...bad, token: await token('shop', 'web') }).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(() => stream.heard.get(PRIVATE)).toMatch(/^(?!no$)/);
  });

  it('that names no service account proves nobody, and the client is told', async () => {
    const { tls } = await pluggedIn();
    const stream = tls(shown(await ca.issue({ uris: ['spiffe://cluster.local/some/path'] }))).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED certificate: want a SPIFFE ID of the form/);
  });

  it('ends its streams when it expires', async () => {
    const { tls } = await pluggedIn();
    const certificate = await ca.issue({ uris: [WEB], notAfterMs: Date.now() + 4_000 });
    const stream = tls(shown(certificate)).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(() => stream.heard.size).toBe(1);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED the credential that this stream rests on has expired/);
  });
});

/** Raw TLS to the port, which keeps what a session could be resumed from. */
async function handshake(address: string, options: ConnectionOptions) {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), servername: 'localhost', ALPNProtocols: ['h2'], ...options });
  const sessions: Buffer[] = [];
  socket.on('session', (session) => sessions.push(session));
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  // TLS 1.3 sends what a session is resumed from after the handshake: the server's SETTINGS come later still.
  await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  return {
    socket,
    sessions: [...sessions, ...(socket.getSession() === undefined ? [] : [socket.getSession() as Buffer])],
  };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
  it('resumes no session: who shows no certificate now is nobody, whatever it showed before', async () => {
    const { listening, roots } = await pluggedIn();
    const certificate = await ca.issue({ uris: [WEB] });
    const options = { ca: roots.join('\n'), minVersion: version, maxVersion: version };
    const first = await handshake(listening.secure, { ...options, cert: certificate.pem, key: certificate.keyPem });
    expect(first.socket.getProtocol()).toBe(version);
    first.socket.destroy();
    expect(first.sessions).not.toEqual([]);
    for (const session of first.sessions) {
      const again: { socket: TLSSocket } = await handshake(listening.secure, { ...options, session });
      expect(again.socket.isSessionReused()).toBe(false);
      again.socket.destroy();
    }
  });
});

describe('a connection that comes to nothing', () => {
  it('without HTTP/2 is closed', async () => {
    const { listening, roots, told } = await pluggedIn();
    const [host = '', port = ''] = listening.secure.split(':');
    const socket = connect({ host, port: Number(port), servername: 'localhost', ca: roots.join('\n') });
    socket.on('error', () => {});
    await once(socket, 'close');
    await until(() => told.join('\n')).toMatch(/does not speak HTTP\/2/);
  });

  it('with garbage instead of TLS is closed, and others are served', async () => {
    const { listening, told, tls, token } = await pluggedIn();
    const [host = '', port = ''] = listening.secure.split(':');
    const socket = connectPlain(Number(port), host);
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    socket.resume();
    const silent = connectPlain(Number(port), host);
    silent.on('error', () => {});
    await once(socket, 'close');
    await until(() => told.join('\n')).toMatch(/TLS handshake/);
    const stream = tls({ token: await token('shop', 'web') }).stream(node('a'));
    stream.ask(LISTENER_TYPE, PRIVATE);
    await until(() => stream.heard.size).toBe(1);
    silent.destroy();
  });
});
