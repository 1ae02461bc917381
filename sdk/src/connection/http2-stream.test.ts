import { createServer } from 'node:http2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Connected, connectTo } from '../wire/http2/peer.fixture.ts';
import type { RequestHandler, WireRequest } from './exchange.ts';
import { Http2Stream } from './http2-stream.ts';
import { InvalidRequest } from './invalid-request.ts';
import { closeOrigins, serve } from './origin.fixture.ts';
import { StreamFailure } from './stream-failure.ts';

/** What nghttp2 is sent, as it came. */
let port: number;
const seen: string[][] = [];
beforeAll(async () => {
  const server = createServer();
  server.on('stream', (stream, _headers, _flags, raw: unknown) => {
    seen.push(raw as string[]);
    stream.respond({ ':status': 204 }, { endStream: true });
  });
  ({ port } = await serve(server));
});
afterAll(closeOrigins);

let connected: Connected | undefined;
afterEach(async () => {
  seen.length = 0;
  connected?.client.destroy();
  await connected?.ended;
  connected = undefined;
});

/** The status, or what the request failed with. */
async function send(request: Partial<WireRequest>): Promise<number | Error> {
  connected ??= await connectTo(port);
  const { client } = connected;
  const stream = new Http2Stream({
    ...{ endpoint: '', peer: undefined, scheme: 'http', isReused: false, isLonely: true, takesConnect: false },
    request: (headers, isEnd, on) => client.request(headers, isEnd, on),
    failureOf: (_, code) => new StreamFailure('reset', String(code)),
    left() {},
  });
  return new Promise((resolve) => {
    let status = 0;
    const handler: RequestHandler = {
      onRequestStart() {},
      onRequestSent() {},
      onResponseStarted() {},
      onResponseStart(_, code) {
        status = code;
      },
      onResponseData() {},
      onResponseEnd: () => resolve(status),
      onRequestUpgrade() {},
      onResponseError: (_, error) => resolve(error),
    };
    const plain = { method: 'GET', path: '/', headers: ['host', 'peer'], body: null, upgrade: null };
    stream.dispatch({ ...plain, ...request }, handler);
  });
}

describe('a request on HTTP/2', () => {
  it.each<[string, Partial<WireRequest>]>([
    ['a header that would be a pseudo-header', { headers: ['host', 'peer', ':path', '/admin'] }],
    ['one in upper case', { headers: ['host', 'peer', ':Authority', 'other'] }],
    ['a method with a space', { method: 'GET / HTTP/1.1' }],
    ['no method', { method: '' }],
    ['a path with a space', { path: '/ HTTP/1.1' }],
    ['a path with a line break', { path: '/\r\nx: y' }],
    ['a name with a space', { headers: ['host', 'peer', 'x y', '1'] }],
    ['a value with a line break', { headers: ['host', 'peer', 'x', '1\r\ny: 2'] }],
  ])('with %s is not sent, and its connection stays', async (_, request) => {
    expect(await send(request)).toBeInstanceOf(InvalidRequest);
    expect(await send({})).toBe(204);
    expect(seen).toHaveLength(1);
  });

  it('goes without what is HTTP/1.1’s own, and without spaces around its values', async () => {
    const connection = [
      'connection',
      'keep-alive',
      'keep-alive',
      '5',
      'proxy-connection',
      'x',
      'http2-settings',
      'AAA',
    ];
    const others = ['TE', 'gzip', 'transfer-encoding', 'chunked', 'X-Padded', ' \ta b ', 'te', 'trailers'];
    expect(await send({ headers: ['host', 'peer', ...connection, ...others] })).toBe(204);
    expect(seen[0]).toEqual([
      ...[':method', 'GET', ':scheme', 'http', ':authority', 'peer', ':path', '/'],
      ...['x-padded', 'a b', 'te', 'trailers'],
    ]);
  });
});
