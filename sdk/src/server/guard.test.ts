import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
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

  it('over HTTP/2 and HTTP/1.1 alike', async () => {
    const ca = await createTestCa();
    const { pem, keyPem } = await ca.issue({ dns: ['own.test'] });
    const app = http2.createSecureServer({ cert: pem, key: keyPem, allowHTTP1: true }, (request, response) => {
      response.end(`${request.httpVersion} ${peerOf(request)?.serviceAccount}`);
    });
    const setting = await start(app, 'PERMISSIVE');
    const raw = (alpn: string[]) => secure({ port: setting.port, ca }, undefined, alpn);
    const own2 = session(await raw(['h2']));
    expect((await askStream(own2)).text).toBe('2.0 undefined');
    own2.destroy();
    const own1 = await raw(['http/1.1']);
    expect((await ask(own1)).text).toBe('1.1 undefined');
    own1.destroy();
    const mesh2 = session(await secure(setting, setting.caller, ['istio', 'h2']));
    expect((await askStream(mesh2)).text).toBe('2.0 productpage');
    mesh2.destroy();
    const mesh1 = await secure(setting, setting.caller, ['istio-http/1.1', 'istio']);
    expect((await ask(mesh1)).text).toBe('1.1 productpage');
    mesh1.destroy();
    setting.mode('STRICT');
    expect(await raw(['h2']).then(fate, () => 'closed')).toBe('closed');
  });
});

describe('a guarded server that closes', () => {
  it('says GOAWAY, finishes the streams under way, and takes no connection', async () => {
    const waiting: http2.Http2ServerResponse[] = [];
    const setting = await start(
      http2.createServer((_request, response) => waiting.push(response)),
      'STRICT',
    );
    const client = session(await secure(setting, setting.caller, ['h2']));
    const goaway = once(client, 'goaway');
    const answer = askStream(client);
    await until(() => waiting.length === 1);
    const closed = setting.guarded.close();
    expect((await goaway)[0]).toBe(http2.constants.NGHTTP2_NO_ERROR);
    await expect(plain(setting.port)).rejects.toThrow('ECONNREFUSED');
    waiting[0]?.end('late');
    expect((await answer).text).toBe('late');
    await closed;
    expect(setting.guarded.stats().connections).toBe(0);
  });

  it('gives up what takes longer than it may', async () => {
    const setting = await start(
      createServer(() => {}),
      'DISABLE',
    );
    const stuck = ask(await plain(setting.port)).catch(() => 'cut off');
    await until(() => setting.guarded.stats().requests === 1);
    await setting.guarded.close({ graceMs: 50 });
    expect(await stuck).toBe('cut off');
  });
});
