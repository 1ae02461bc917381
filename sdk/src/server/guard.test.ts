import { createServer, type RequestListener } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { peerOf } from './peer.ts';
import {
  ask,
  askStream,
  fate,
  PRODUCTPAGE,
  plain,
  type Setting,
  secure,
  session,
  startGuarded,
  until,
} from './server.fixture.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});
const start = async (...args: Parameters<typeof startGuarded>): Promise<Setting> => {
  const setting = await startGuarded(...args);
  open.push(setting);
  return setting;
};

/** Says who asked, and what of certificates the request carries. */
const who: RequestListener = (request, response) => {
  const peer = peerOf(request);
  response.end(`${peer?.namespace}/${peer?.serviceAccount} ${request.headers['x-forwarded-client-cert'] ?? 'none'}`);
};

describe('a guarded HTTP/1.1 server', () => {
  it('under STRICT takes mutual TLS and says who asks', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const socket = await secure(setting, setting.caller);
    const { status, text } = await ask(socket);
    expect(status).toBe(200);
    expect(text).toMatch(/^default\/productpage By=spiffe:.*reviews;Hash=[0-9a-f]{64};Subject=".*";URI=/);
    expect(text).toContain(`URI=${PRODUCTPAGE}`);
    socket.destroy();
  });

  it('under STRICT refuses plain text, a client without a certificate, and one of another root', async () => {
    const setting = await start(createServer(who), 'STRICT');
    const socket = await plain(setting.port);
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await fate(socket)).toBe('closed');
    const naked = await secure(setting, undefined).catch((error: Error) => error);
    if (!(naked instanceof Error)) expect(await fate(naked)).toBe('closed');
    await until(() => setting.guarded.stats().refused.peer === 1);
    expect(setting.guarded.stats().refused).toMatchObject({ 'no-chain': 1, peer: 1 });
  });

  it('under PERMISSIVE takes both on one port', async () => {
    const setting = await start(createServer(who), 'PERMISSIVE');
    const one = await plain(setting.port);
    expect((await ask(one)).text).toBe('undefined/undefined none');
    const two = await secure(setting, setting.caller);
    expect((await ask(two)).text).toMatch(/^default\/productpage By=/);
    one.destroy();
    two.destroy();
  });
});

describe('a guarded HTTP/2 server', () => {
  it('speaks HTTP/2 with peers of the mesh, through either API', async () => {
    for (const alpn of [
      ['istio', 'h2'],
      ['istio-h2', 'istio'],
    ]) {
      const setting = await start(
        http2.createServer((request, response) => response.end(String(peerOf(request)?.id))),
        'STRICT',
      );
      const client = session(await secure(setting, setting.caller, alpn));
      expect(await askStream(client)).toMatchObject({ status: 200, text: PRODUCTPAGE });
      client.destroy();
    }
  });
});

describe('a server that ends TLS itself', () => {
  it('keeps its own TLS beside that of the mesh (PERMISSIVE)', async () => {
    const setting = await start(createServer(who), 'PERMISSIVE');
    const { pem, keyPem } = await setting.ca.issue({ dns: ['own.test'] });
    const own = await start(https.createServer({ cert: pem, key: keyPem }, who), 'PERMISSIVE');
    const foreign = await secure({ port: own.port, ca: setting.ca }, undefined, ['http/1.1']);
    expect((await ask(foreign)).text).toBe('undefined/undefined none');
    const mesh = await secure(own, own.caller);
    expect((await ask(mesh)).text).toMatch(/^default\/productpage By=/);
    foreign.destroy();
    mesh.destroy();
  });
});
