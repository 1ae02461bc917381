import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { createTestIdentity } from '../../../test/harness/test-identity.ts';
import { createBundles } from '../identity/bundles.ts';
import type { DownstreamTls } from '../model/tls.ts';
import { listenerOfMode } from './chain.ts';
import { guardWith } from './guard.ts';
import { peerOf } from './peer.ts';
import { ask, createSide, fate, plain, REVIEWS, type Setting, secure, startGuarded, until } from './server.fixture.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});
const start = async (...args: Parameters<typeof startGuarded>): Promise<Setting> => {
  const setting = await startGuarded(...args);
  open.push(setting);
  return setting;
};
const who: RequestListener = (request, response) => response.end(peerOf(request)?.serviceAccount ?? 'nobody');

describe('a change of the mode', () => {
  it('to STRICT closes idle plain connections and refuses new ones; mutual TLS goes on', async () => {
    const setting = await start(createServer(who), 'PERMISSIVE');
    const idle = await plain(setting.port);
    expect((await ask(idle)).text).toBe('nobody');
    const mutual = await secure(setting, setting.caller);
    expect((await ask(mutual)).text).toBe('productpage');
    const closed = fate(idle);
    setting.mode('STRICT');
    expect(await closed).toBe('closed');
    const late = await plain(setting.port);
    late.write('GET / HTTP/1.1\r\n\r\n');
    expect(await fate(late)).toBe('closed');
    expect((await ask(mutual)).text).toBe('productpage');
    mutual.destroy();
  });

  it('lets a request under way end, on a connection that takes no other', async () => {
    const waiting: ServerResponse[] = [];
    const setting = await start(
      createServer((_request, response) => waiting.push(response)),
      'DISABLE',
    );
    const busy = ask(await plain(setting.port));
    await until(() => waiting.length === 1);
    setting.mode('STRICT');
    waiting[0]?.end('done');
    expect(await busy).toMatchObject({ text: 'done', headers: { connection: 'close' } });
  });

  it('and back to DISABLE closes connections of mutual TLS', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const mutual = await secure(setting, setting.caller);
    expect((await ask(mutual)).text).toBe('productpage');
    const closed = fate(mutual);
    setting.mode('DISABLE');
    expect(await closed).toBe('closed');
    expect((await ask(await plain(setting.port))).text).toBe('nobody');
  });

  it('of who may call closes the connections of those who may not, and lets the same terms be', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const strict = listenerOfMode('STRICT', '0.0.0.0', 9080);
    const asking = (terms: Partial<DownstreamTls>): void =>
      setting.side.listen({
        ...strict,
        chains: strict.chains.map((chain) => (chain.tls ? { ...chain, tls: { ...chain.tls, ...terms } } : chain)),
      });
    asking({ requireClientCertificate: false });
    const nameless = await secure(setting, undefined);
    expect((await ask(nameless)).text).toBe('nobody');
    const closed = fate(nameless);
    asking({ subjectAltNames: [] });
    expect(await closed).toBe('closed');
    const named = await secure(setting, setting.caller);
    expect((await ask(named)).text).toBe('productpage');
    asking({ subjectAltNames: [] });
    expect((await ask(named)).text).toBe('productpage');
    const over = fate(named);
    asking({ subjectAltNames: [{ kind: 'prefix', value: 'spiffe://elsewhere/' }] });
    expect(await over).toBe('closed');
  });

  it('registers anew: callers expect a certificate only where one is asked for', async () => {
    const setting = await start(createServer(who), 'PERMISSIVE', { service: 'reviews', version: 'v1' });
    const registered = () => setting.side.registered.get('reviews');
    expect(registered()).toEqual({ service: 'reviews', version: 'v1', port: setting.port, tls: 'istio' });
    setting.mode('DISABLE');
    expect(registered()).toEqual({ service: 'reviews', version: 'v1', port: setting.port });
    await setting.guarded.close();
    expect(registered()).toBeUndefined();
  });

  it('of a control plane that forgets the port leaves the last one in force', async () => {
    const setting = await start(createServer(who), 'STRICT');
    setting.side.listen(undefined);
    const late = await plain(setting.port);
    late.write('GET / HTTP/1.1\r\n\r\n');
    expect(await fate(late)).toBe('closed');
  });
});

describe('a change of the identity', () => {
  it('drops no request: connections stay, new ones see the new certificate', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const old = await secure(setting, setting.caller);
    const before = old.getPeerX509Certificate()?.serialNumber;
    for (let round = 0; round < 5; round++) {
      setting.identity.set(await setting.ca.issue({ uris: [REVIEWS] }));
      const [kept, fresh] = await Promise.all([
        ask(old),
        secure(setting, setting.caller).then(async (socket) => {
          expect(socket.getPeerX509Certificate()?.serialNumber).not.toBe(before);
          const answer = await ask(socket);
          socket.destroy();
          return answer;
        }),
      ]);
      expect([kept.text, fresh.text]).toEqual(['productpage', 'productpage']);
    }
    old.destroy();
  });

  it('a revoked peer is closed at once, the others are not', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const good = await setting.ca.issue({ uris: [REVIEWS] });
    const [revoked, kept] = await Promise.all([secure(setting, setting.caller), secure(setting, good)]);
    expect((await ask(revoked)).text).toBe('productpage');
    expect((await ask(kept)).text).toBe('reviews');
    const closed = fate(revoked);
    const list = await setting.ca.crl(setting.caller);
    setting.identity.set(good, createBundles([['cluster.local', [setting.ca.pem]]], [list]));
    expect(await closed).toBe('closed');
    expect((await ask(kept)).text).toBe('reviews');
    expect(setting.guarded.stats().refused.peer).toBe(1);
    kept.destroy();
  });

  it('a root that is taken back closes who came by it', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const socket = await secure(setting, setting.caller);
    expect((await ask(socket)).text).toBe('productpage');
    const other = await createTestCa();
    const closed = fate(socket);
    setting.identity.set(await other.issue({ uris: [REVIEWS] }), createBundles([['cluster.local', [other.pem]]]));
    expect(await closed).toBe('closed');
  });
});

describe('before the configuration has come', () => {
  it('connections wait for it', async () => {
    const side = createSide(createTestIdentity());
    const server = createServer(who);
    const guarded = guardWith(side, server, { configTimeoutMs: 60_000 });
    open.push({ [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }) });
    // As a framework does it.
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = server.address();
    const port = typeof at === 'object' && at !== null ? at.port : 0;
    expect(guarded.unready()).toBe('the control plane has not answered');
    const answer = ask(await plain(port));
    await until(() => guarded.stats().connections === 1);
    side.listen(listenerOfMode('DISABLE', '127.0.0.1', port));
    expect((await answer).text).toBe('nobody');
    expect(side.asked).toEqual([`127.0.0.1:${port}`]);
    await guarded.ready();
    expect(guarded.unready()).toBeUndefined();
  });

  it('a silent control plane means STRICT after a while, and says so', async () => {
    const side = createSide(createTestIdentity());
    const guarded = guardWith(side, createServer(who), { configTimeoutMs: 20 });
    open.push({ [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }) });
    // Without an identity nobody could be served.
    await expect(guarded.listen({ port: 0, host: '127.0.0.1' })).rejects.toThrow('the test gave it none');
    expect(guarded.unready()).toBe('no identity');
    expect(side.events).toContainEqual({
      kind: 'warning',
      message: expect.stringMatching(/has said nothing of port \d+: connections are taken as under STRICT/),
    });
  });

  it('without a control plane the server is as if there were no guard, unless it says otherwise', async () => {
    const guarded = guardWith(createSide(createTestIdentity(), { isOn: false }), createServer(who), {});
    open.push({ [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }) });
    const { port } = await guarded.listen({ port: 0, host: '127.0.0.1' });
    expect((await ask(await plain(port))).text).toBe('nobody');
  });

  it('a server that listens already is guarded from then on; what it had accepted is closed', async () => {
    const side = createSide(createTestIdentity());
    side.listen(listenerOfMode('STRICT', '127.0.0.1', 0));
    const server = createServer(who);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const early = await plain(port);
    expect((await ask(early)).text).toBe('nobody');
    const closed = fate(early);
    const guarded = guardWith(side, server, {});
    open.push({ [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }) });
    expect(await closed).toBe('closed');
    const late = await plain(port);
    late.write('GET / HTTP/1.1\r\n\r\n');
    expect(await fate(late)).toBe('closed');
  });

  it.skipIf(process.platform === 'win32')('a unix socket takes connections as they come', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-guard-'));
    const side = createSide(createTestIdentity());
    const server = createServer(who);
    const guarded = guardWith(side, server, {});
    open.push({ [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }) });
    const at = path.join(folder, 'socket');
    await new Promise<void>((resolve) => server.listen(at, resolve));
    const socket = net.connect(at);
    expect((await ask(socket)).text).toBe('nobody');
    expect(guarded.unready()).toBeUndefined();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a client of mutual TLS waits for our certificate, and is refused when there is none to come', async () => {
    const setting = await start(createServer(who), 'STRICT');
    setting.identity.set(undefined);
    const refused = await secure(setting, setting.caller).then(fate, () => 'closed');
    expect(refused).toBe('closed');
    expect(setting.guarded.stats().refused['no-identity']).toBe(1);
    setting.identity.set(await setting.ca.issue({ uris: [REVIEWS] }));
    const taken = await secure(setting, setting.caller);
    expect((await ask(taken)).text).toBe('productpage');
    taken.destroy();
  });
});

describe('a WebSocket', () => {
  it('is a request of its peer for as long as it stands', async () => {
    const server = createServer();
    server.on('upgrade', (request, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: ${peerOf(request)?.serviceAccount}\r\n\r\n`);
      socket.on('data', (bytes) => socket.write(bytes)).on('end', () => socket.end());
    });
    const setting = await start(server, 'STRICT');
    const socket = await secure(setting, setting.caller);
    socket.write(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-envoy-internal: true\r\n\r\n',
    );
    expect(await fate(socket)).toContain('upgrade: productpage');
    expect(setting.guarded.stats().requests).toBe(1);
    socket.write('ping');
    expect(await fate(socket)).toBe('ping');
    socket.destroy();
    await until(() => setting.guarded.stats().requests === 0);
  });
});
