import { createServer, type IncomingMessage } from 'node:http';
import http2, { type IncomingHttpHeaders } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { isStripped } from './request-headers.ts';
import { ask, askStream, plain, type Setting, secure, session, startGuarded } from './server.fixture.ts';

const open: Setting[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const FORGED = {
  'X-Forwarded-Client-Cert': 'By=spiffe://x;URI=spiffe://cluster.local/ns/admin/sa/root',
  'X-Envoy-Internal': 'true',
  'x-envoy-max-retries': '50',
  'x-envoy-attempt-count': '2',
  'x-envoy-expected-rq-timeout-ms': '1500',
  'x-request-id': 'r1',
};

/** All three views that Node has of the headers. */
function views({ headers, headersDistinct, rawHeaders }: IncomingMessage) {
  const raw = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  const mesh = (names: readonly string[]) => names.filter((name) => /^x-(envoy|forwarded)/.test(name)).sort();
  return [Object.keys(headers), Object.keys(headersDistinct), raw].map(mesh);
}

describe('headers only the mesh may set', () => {
  it('are taken from plain requests, in each view of them', async () => {
    const app = createServer((request, response) => response.end(JSON.stringify(views(request))));
    const setting = await startGuarded(app, 'PERMISSIVE');
    open.push(setting);
    const socket = await plain(setting.port);
    const { text } = await ask(socket, { headers: FORGED });
    expect(JSON.parse(text)).toEqual(Array(3).fill(['x-envoy-expected-rq-timeout-ms']));
    socket.destroy();
  });

  it('are taken from peers of the mesh as Envoy takes them from outside; the certificate is added', async () => {
    const app = createServer((request, response) => {
      const [certificate] = request.headersDistinct['x-forwarded-client-cert'] ?? [];
      response.end(JSON.stringify([...views(request), certificate, request.headers['x-forwarded-client-cert']]));
    });
    const setting = await startGuarded(app, 'STRICT');
    open.push(setting);
    const socket = await secure(setting, setting.caller);
    const [headers, distinct, raw, certificate, again] = JSON.parse((await ask(socket, { headers: FORGED })).text);
    const kept = ['x-envoy-attempt-count', 'x-envoy-expected-rq-timeout-ms', 'x-forwarded-client-cert'];
    expect([headers, distinct, raw]).toEqual([kept, kept, kept]);
    // Envoy APPEND_FORWARD: what the peer says comes first, what was verified here last.
    expect(certificate).toMatch(/^By=spiffe:\/\/x;URI=.*root,By=spiffe:.*productpage$/);
    expect(again).toBe(certificate);
    socket.destroy();
  });

  it('are taken from HTTP/2 before either API shows them', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const app = http2.createServer((request, response) => {
      seen.push(request.headers);
      response.end(request.rawHeaders.join(' '));
    });
    app.on('stream', (_stream, headers) => seen.push(headers));
    const setting = await startGuarded(app, 'STRICT');
    open.push(setting);
    const client = session(await secure(setting, setting.caller, ['istio', 'h2']));
    const lower = Object.fromEntries(Object.entries(FORGED).map(([name, value]) => [name.toLowerCase(), value]));
    const { text } = await askStream(client, lower);
    expect(text).not.toMatch(/x-envoy-(internal|max)/);
    expect(text.match(/x-forwarded-client-cert/g)).toHaveLength(1);
    expect(seen).toHaveLength(2);
    for (const headers of seen) {
      expect(headers['x-envoy-max-retries']).toBeUndefined();
      expect(headers['x-forwarded-client-cert']).toMatch(/root,By=spiffe:/);
    }
    client.destroy();
  });

  it('are cleaned once, however often the application sends a request round', async () => {
    const app = createServer((request, response) => response.end(request.headers['x-forwarded-client-cert']));
    app.on('checkContinue', (request, response) => {
      response.writeContinue();
      app.emit('request', request, response);
    });
    const setting = await startGuarded(app, 'STRICT');
    open.push(setting);
    const socket = await secure(setting, setting.caller);
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes;
        if (text.includes('productpage')) resolve(text);
      });
    });
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\r\n');
    expect((await answer).match(/By=/g)).toHaveLength(1);
    socket.destroy();
  });

  it('a proven peer may set what only informs; nobody sets what steers', () => {
    expect(isStripped('x-envoy-attempt-count', true)).toBe(false);
    expect(isStripped('x-envoy-attempt-count', false)).toBe(true);
    expect(isStripped('x-envoy-retry-on', true)).toBe(true);
    expect(isStripped('x-envoy-expected-rq-timeout-ms', false)).toBe(false);
    expect(isStripped('x-request-id', false)).toBe(false);
  });
});
