import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Cluster } from '../model/cluster.ts';
import { TEST_CERTIFICATE, TEST_KEY, TEST_ROOT } from './certificates.fixture.ts';
import type { ConnectFailure } from './connect-failure.ts';
import type { Connection } from './connection.ts';
import { type Connections, createConnections } from './connections.ts';
import type { Reach } from './dial.ts';
import type { ParsedHeaders, RequestController, RequestHandler } from './exchange.ts';
import type { DialHost } from './lane.ts';
import { closeOrigins, clusterOf, deadPort, noBreaker, serve, serveHttp } from './origin.fixture.ts';
import { type TlsTarget, tlsByCaller } from './tls.ts';

/** Connections that are streams of a tunnel, as HBONE's are: HTTP/2 CONNECT (RFC 9113 §8.5) to a proxy of node:http2. */

const DEFAULT_ROOTS = tls.getCACertificates('default');
const NO_BREAKER = noBreaker();
let connections: Connections;
let session: ClientHttp2Session;
/** What the proxy was asked for. */
let asked: string[];

beforeAll(() => tls.setDefaultCACertificates([TEST_ROOT]));
afterAll(() => tls.setDefaultCACertificates(DEFAULT_ROOTS));
beforeEach(async () => {
  asked = [];
  connections = createConnections({ clock: systemClock });
  const proxy = http2.createServer();
  proxy.on('stream', (stream, headers) => {
    const authority = String(headers[':authority']);
    asked.push(`${headers[':method']} ${authority}`);
    const { hostname, port } = new URL(`http://${authority}`);
    const socket = net.connect({ host: hostname, port: Number(port) });
    stream.on('error', () => socket.destroy());
    socket.on('error', () =>
      stream.headersSent ? stream.close() : stream.respond({ ':status': 503 }, { endStream: true }),
    );
    socket.once('connect', () => {
      stream.respond({ ':status': 200 });
      stream.pipe(socket).pipe(stream);
    });
  });
  session = http2.connect(`http://127.0.0.1:${(await serve(proxy)).port}`);
});
afterEach(async () => {
  await connections.closeAll(0);
  session.destroy();
  closeOrigins();
});

/** What a stream lacks of a socket. */
const asSocket = (stream: ClientHttp2Stream): Socket =>
  Object.assign(stream, {
    ref: () => stream,
    unref: () => stream,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    destroySoon: () => stream.end(() => stream.destroy()),
  }) as unknown as Socket;

const reach: Reach = {
  open({ address, port }, on) {
    const stream = session.request({ ':method': 'CONNECT', ':authority': `${address}:${port}` });
    stream.on('error', (error) => on.failed(error));
    stream.once('response', (headers) => {
      if (headers[':status'] === 200) on.connected(asSocket(stream));
      else on.failed(new Error(`the tunnel answers ${headers[':status']}`));
    });
    return { cancel: () => stream.destroy(), unref() {} };
  },
};

interface Through {
  readonly cluster?: Cluster;
  readonly tls?: TlsTarget;
  readonly isGrpc?: boolean;
}

const hostAt = (port: number) => ({ address: '127.0.0.1', port, removed: false, reach });

const checkout = (host: DialHost, { cluster = clusterOf(), tls: target, isGrpc = false }: Through = {}) =>
  new Promise<Connection>((onConnection, onConnectFailure: (failure: ConnectFailure) => void) => {
    const waiter = { host, cluster, tls: target, isGrpc, breaker: NO_BREAKER, onConnection, onConnectFailure };
    const idle = connections.checkout(waiter);
    if (idle !== undefined) onConnection(idle);
  });

/** One GET; the connection goes back to the pool. */
const get = (connection: Connection): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const handler: RequestHandler = {
      onRequestStart() {},
      onRequestSent() {},
      onResponseStarted() {},
      onRequestUpgrade() {},
      onResponseStart: (_: RequestController, __: number, headers: ParsedHeaders) => connection.readHead(headers),
      onResponseData(_: RequestController, chunk: Uint8Array) {
        text += new TextDecoder().decode(chunk);
      },
      onResponseEnd() {
        connection.release(systemClock.now());
        resolve(text);
      },
      onResponseError: (_: RequestController | null, error: Error) => reject(error),
    };
    connection.dispatch({ method: 'GET', path: '/', headers: ['host', 'reviews'], body: null, upgrade: null }, handler);
  });

describe('a host that is reached by a tunnel', () => {
  it('is spoken HTTP/1.1 to through a stream, which is kept for the next request', async () => {
    const { port } = await serveHttp((_, reply) => reply.end('one'));
    const host = hostAt(port);
    expect(await get(await checkout(host))).toBe('one');
    expect(await get(await checkout(host))).toBe('one');
    expect(connections.stats()).toMatchObject({ open: 1, idle: 1, dialled: 1 });
    expect(asked).toEqual([`CONNECT 127.0.0.1:${port}`]);
  });

  it.each([
    ['of a cluster that speaks it', { cluster: clusterOf({ http2: true }) }],
    ['of calls of gRPC', { isGrpc: true }],
  ])('is spoken HTTP/2 to: %s', async (_, how) => {
    const origin = await serve(http2.createServer((__, reply) => void reply.end('two')));
    const host = hostAt(origin.port);
    const answers = [await checkout(host, how), await checkout(host, how)].map(get);
    expect(await Promise.all(answers)).toEqual(['two', 'two']);
    expect(asked).toHaveLength(1);
  });

  it('ends TLS itself: the tunnel carries it', async () => {
    const server = https.createServer(
      { cert: TEST_CERTIFICATE, key: TEST_KEY },
      (_, reply) => void reply.end('secret'),
    );
    const { port } = await serve(server);
    const connection = await checkout(hostAt(port), { tls: tlsByCaller('reviews.test') });
    expect(await get(connection)).toBe('secret');
  });

  it('that the tunnel does not reach is a connect failure', async () => {
    await expect(checkout(hostAt(await deadPort()))).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'the tunnel answers 503',
    });
  });
});
