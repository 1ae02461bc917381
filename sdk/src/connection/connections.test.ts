import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../clock.ts';
import type { Cluster } from '../model/cluster.ts';
import { TEST_CERTIFICATE, TEST_KEY, TEST_ROOT } from './certificates.fixture.ts';
import type { ConnectFailure } from './connect-failure.ts';
import type { Connection, ConnectionBreaker } from './connection.ts';
import { type Connections, createConnections } from './connections.ts';
import type { ParsedHeaders, RequestController, RequestHandler } from './exchange.ts';
import type { ConnectionWaiter, DialHost } from './lane.ts';
import { closeOrigins, clusterOf, deadPort, noBreaker, serve, serveHttp, serveRaw, until } from './origin.fixture.ts';
import { type TlsTarget, tlsByCaller } from './tls.ts';

const NO_BREAKER = noBreaker();

/** Real time plus whatever a test adds. */
let added = 0;
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() + added,
  after: (ms, run) => systemClock.after(ms, run),
};
let connections: Connections;

beforeEach(() => {
  added = 0;
  connections = createConnections({ clock });
});
afterEach(async () => {
  await connections.closeAll(0);
  closeOrigins();
});

interface Host extends DialHost {
  removed: boolean;
}

const hostAt = (port: number, address = '127.0.0.1'): Host => ({ address, port, removed: false });

class Waiter implements ConnectionWaiter {
  readonly host: DialHost;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  readonly breaker: ConnectionBreaker = NO_BREAKER;
  connection: Connection | undefined;
  failure: ConnectFailure | undefined;

  constructor(host: DialHost, cluster = clusterOf(), tls?: TlsTarget) {
    this.host = host;
    this.cluster = cluster;
    this.tls = tls;
  }
  onConnection(connection: Connection): void {
    this.connection = connection;
  }
  onConnectFailure(failure: ConnectFailure): void {
    this.failure = failure;
  }
  async settled(): Promise<this> {
    await until(() => this.connection !== undefined || this.failure !== undefined);
    return this;
  }
}

/** A connection, dialled or idle. */
async function checkout(host: DialHost, cluster?: Cluster, tls?: TlsTarget): Promise<Connection> {
  const waiter = new Waiter(host, cluster, tls);
  const idle = connections.checkout(waiter);
  if (idle !== undefined) return idle;
  const { connection, failure } = await waiter.settled();
  if (connection === undefined) throw failure;
  return connection;
}

/** One GET; the connection goes back to the pool. */
const get = (connection: Connection): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const handler: RequestHandler = {
      onRequestStart() {},
      onRequestSent() {},
      onResponseStarted() {},
      onRequestUpgrade() {},
      onResponseStart(_: RequestController, __: number, headers: ParsedHeaders) {
        connection.readHead(headers);
      },
      onResponseData(_: RequestController, chunk: Uint8Array) {
        text += new TextDecoder().decode(chunk);
      },
      onResponseEnd() {
        connection.release(clock.now());
        resolve(text);
      },
      onResponseError: (_: RequestController | null, error: Error) => reject(error),
    };
    connection.dispatch({ method: 'GET', path: '/', headers: ['host', 'reviews'], body: null, upgrade: null }, handler);
  });

describe('checkout', () => {
  it('gives back the connection that was used last', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('x'))).port);
    const [one, two] = await Promise.all([checkout(host), checkout(host)]);
    await get(two);
    await get(one);
    expect(connections.checkout(new Waiter(host))).toBe(one);
    expect(connections.checkout(new Waiter(host))).toBe(two);
    expect(connections.stats()).toMatchObject({ open: 2, idle: 0, dialled: 2 });
    await Promise.all([get(one), get(two)]);
  });

  it('serves who has waited longest with the first connection that is free, dialled or returned', async () => {
    const origin = await serveHttp((_, reply) => reply.end('x'));
    const host = hostAt(origin.port);
    const first = await checkout(host);
    const waiters = [new Waiter(host), new Waiter(host)];
    for (const waiter of waiters) connections.checkout(waiter);
    first.release(clock.now());
    expect(waiters[0]?.connection).toBe(first);
    await waiters[1]?.settled();
    // The dial that was meant for the first one goes on, as Envoy's does.
    await until(() => connections.stats().idle === 1);
    expect(connections.stats()).toMatchObject({ open: 3, dialled: 3, waiting: 0, dialling: 0 });
  });

  it('ends the dial of a waiter that is cancelled at once', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('x'))).port);
    const waiter = new Waiter(host);
    connections.checkout(waiter);
    expect(connections.stats()).toMatchObject({ dialling: 1, waiting: 1 });
    connections.cancel(waiter);
    expect(connections.stats()).toMatchObject({ dialling: 0, waiting: 0, open: 0 });
  });

  it('fails one waiter for each dial that fails, and says what Envoy would say', async () => {
    const waiters = [
      new Waiter(hostAt(await deadPort())),
      new Waiter(hostAt(70_000)),
      new Waiter(hostAt(80, 'nowhere.invalid')),
    ];
    for (const waiter of waiters) connections.checkout(waiter);
    await Promise.all(waiters.map((waiter) => waiter.settled()));
    expect(waiters.map(({ failure }) => failure?.kind)).toEqual(['unreachable', 'unreachable', 'name']);
    expect(waiters[0]?.failure?.message).toBe('connect error: Connection refused');
    expect(connections.stats()).toMatchObject({ open: 0, dialling: 0, waiting: 0 });
  });
});

describe('a host that is dead', () => {
  it.each([
    ['refuses', '127.0.0.1', 'unreachable'],
    ['has a name without an address', 'nobody.invalid', 'name'],
  ])('is dialled once for each who waits, and never by itself: it %s', async (_, address, kind) => {
    const host = hostAt(await deadPort(), address);
    const waiters = Array.from({ length: 20 }, () => new Waiter(host));
    for (const waiter of waiters) connections.checkout(waiter);
    await until(() => waiters.every(({ failure }) => failure !== undefined));
    expect(new Set(waiters.map(({ failure }) => failure?.kind))).toEqual(new Set([kind]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(connections.stats()).toEqual({ open: 0, idle: 0, dialling: 0, waiting: 0, dialled: 20 });
  });
});

describe('a peer of HTTP/2 that allows no streams and closes', () => {
  it('is dialled once for who waits, not without end', async () => {
    const server = http2.createServer({ settings: { maxConcurrentStreams: 0 } });
    server.on('session', (session) => session.once('remoteSettings', () => session.destroy()));
    const { port } = await serve(server);
    const waiter = new Waiter(hostAt(port), clusterOf({ http2: true }));
    connections.checkout(waiter);
    await until(() => waiter.failure !== undefined);
    expect(waiter.failure?.kind).toBe('lost');
    expect(connections.stats()).toMatchObject({ open: 0, dialling: 0, waiting: 0, dialled: 1 });
  });
});

describe('the age of idle connections', () => {
  const withHint = (seconds: number | undefined) =>
    serveHttp((_, reply) => {
      // Node's own server would write the hint of its keepAliveTimeout.
      reply.setHeader('connection', 'keep-alive');
      if (seconds !== undefined) reply.setHeader('keep-alive', `timeout=${seconds}`);
      reply.end('x');
    });

  it.each([
    { rule: "the peer's Keep-Alive hint less one second", hint: 30, idleTimeoutMs: undefined, limitMs: 29_000 },
    { rule: '4 s without a hint', hint: undefined, idleTimeoutMs: undefined, limitMs: 4_000 },
    { rule: "the cluster's idle timeout where it is shorter", hint: 30, idleTimeoutMs: 2_000, limitMs: 2_000 },
    { rule: "the cluster's idle timeout without a hint", hint: undefined, idleTimeoutMs: 60_000, limitMs: 60_000 },
    {
      rule: '4 s where the cluster switches its idle timeout off and there is no hint',
      hint: undefined,
      idleTimeoutMs: 0,
      limitMs: 4_000,
    },
  ])('$rule is how long one is kept', async ({ hint, idleTimeoutMs, limitMs }) => {
    const host = hostAt((await withHint(hint)).port);
    const cluster = clusterOf(idleTimeoutMs === undefined ? {} : { idleTimeoutMs });
    const connection = await checkout(host, cluster);
    await get(connection);
    added = limitMs - 500;
    expect(connections.checkout(new Waiter(host, cluster))).toBe(connection);
    await get(connection);
    added += limitMs;
    const next = await checkout(host, cluster);
    expect(next).not.toBe(connection);
    await get(next);
  });

  it('closes a connection after maxRequestsPerConnection requests', async () => {
    const origin = await serveHttp((_, reply) => reply.end('x'));
    const cluster = clusterOf({ maxRequestsPerConnection: 2 });
    const host = hostAt(origin.port);
    for (let i = 0; i < 4; i++) await get(await checkout(host, cluster));
    expect(origin.connections).toBe(2);
  });

  it('closes a connection that is older than the cluster allows', async () => {
    const origin = await serveHttp((_, reply) => reply.end('x'));
    const cluster = clusterOf({ maxConnectionDurationMs: 1_000 });
    const host = hostAt(origin.port);
    await get(await checkout(host, cluster));
    added = 1_000;
    await get(await checkout(host, cluster));
    expect(origin.connections).toBe(2);
  });

  it('closes an idle connection whose time is over, though nobody asks for one', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('x'))).port);
    await get(await checkout(host, clusterOf({ maxConnectionDurationMs: 30, idleTimeoutMs: 60_000 })));
    await until(() => connections.stats().open === 0);
  });

  it('drops a connection that its peer has closed, also before its first request', async () => {
    const origin = await serveHttp((_, reply) => reply.end('x'));
    const host = hostAt(origin.port);
    await get(await checkout(host));
    const unused = await checkout(host);
    const used = await checkout(host);
    used.release(clock.now());
    unused.release(clock.now());
    await until(() => origin.sockets.size === 2);
    for (const socket of origin.sockets) socket.end();
    await until(() => connections.stats().open === 0);
    expect(connections.stats().idle).toBe(0);
  });

  it('closes the idle connections of a host that is no longer an endpoint, and the others when they are returned', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('x'))).port);
    const [idle, busy] = await Promise.all([checkout(host), checkout(host)]);
    await get(idle);
    host.removed = true;
    connections.drainRemoved();
    await until(() => connections.stats().open === 1);
    await get(busy);
    await until(() => connections.stats().open === 0);
  });
});

describe('closeAll', () => {
  it('closes idle connections, lets those in use end, and takes no new calls', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('x'))).port);
    const [idle, busy] = await Promise.all([checkout(host), checkout(host)]);
    await get(idle);
    const closed = connections.closeAll();
    const late = new Waiter(host);
    connections.checkout(late);
    expect((await late.settled()).failure?.kind).toBe('closed');
    expect(await get(busy)).toBe('x');
    await closed;
    expect(connections.stats().open).toBe(0);
  });

  it('ends what is still under way when the grace is over', async () => {
    const host = hostAt((await serveHttp(() => {})).port);
    const ended = get(await checkout(host)).catch((error: Error) => error);
    await connections.closeAll(1);
    expect(await ended).toBeInstanceOf(Error);
  });
});

describe('transports', () => {
  it('dials a unix socket', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-'));
    const file = path.join(folder, 'origin.sock');
    await serve(
      http.createServer((_, reply) => reply.end('unix')),
      { path: file },
    );
    expect(await get(await checkout(hostAt(0, `unix:${file}`)))).toBe('unix');
    rmSync(folder, { recursive: true, force: true });
  });

  it.skipIf(
    !Object.values(os.networkInterfaces())
      .flat()
      .some((it) => it?.address === '::1'),
  )('dials IPv6', async () => {
    const { port } = await serve(
      http.createServer((_, reply) => reply.end('six')),
      { host: '::1', port: 0 },
    );
    const connection = await checkout(hostAt(port, '::1'));
    expect(connection.endpoint).toBe(`[::1]:${port}`);
    expect(await get(connection)).toBe('six');
  });

  it('gives up a handshake that takes longer than the connect timeout', async () => {
    const host = hostAt((await serveRaw(() => {})).port);
    const waiter = new Waiter(host, clusterOf({ connectTimeoutMs: 20 }), {
      ...tlsByCaller('reviews.test'),
    });
    connections.checkout(waiter);
    expect((await waiter.settled()).failure?.kind).toBe('timeout');
  });

  it.each(['http1', 'http2'])(
    'over %s keeps the process until it is answered, and not while it is idle',
    async (how) => {
      const { port } = await (how === 'http1'
        ? serveHttp((_, reply) => reply.end('x'))
        : serve(
            http2.createServer((_, reply) => {
              setTimeout(() => reply.end('x'), 100);
            }),
          ));
      const program = new URL('./idle-process.fixture.ts', import.meta.url).pathname;
      const child = spawn(process.execPath, [
        '--conditions=source',
        '--disable-warning=ExperimentalWarning',
        program,
        String(port),
        how,
      ]);
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
  );
});

describe('TLS with the platform roots', () => {
  const roots = tls.getCACertificates('default');
  beforeAll(() => tls.setDefaultCACertificates([...roots, TEST_ROOT]));
  afterAll(() => tls.setDefaultCACertificates(roots));

  const serveTls = () =>
    serve(
      https.createServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }, (request, reply) => {
        const { servername } = request.socket as tls.TLSSocket;
        reply.end(String(servername));
      }),
    );
  const SPIFFE = 'spiffe://cluster.local/ns/default/sa/reviews';
  const target = (name: string, ...names: string[]): TlsTarget => ({
    name,
    tls: {
      alpn: [],
      roots: { kind: 'system' },
      subjectAltNames: names.map((value) => ({ kind: 'exact', value })),
    },
  });

  it('asks for the name and verifies it', async () => {
    const host = hostAt((await serveTls()).port);
    expect(await get(await checkout(host, clusterOf(), target('reviews.test')))).toBe('reviews.test');
    await expect(checkout(host, clusterOf(), target('other.test'))).rejects.toMatchObject({ kind: 'tls' });
  });

  it('verifies an address, and sends no server name for it (RFC 6066 §3)', async () => {
    const host = hostAt((await serveTls()).port);
    expect(await get(await checkout(host, clusterOf(), target('127.0.0.1')))).toBe('false');
    await expect(checkout(host, clusterOf(), target('127.0.0.2'))).rejects.toMatchObject({ kind: 'tls' });
  });

  it('verifies subjectAltNames in place of the name (Istio ClientTLSSettings)', async () => {
    const host = hostAt((await serveTls()).port);
    expect(await get(await checkout(host, clusterOf(), target('any.test', 'other.test', SPIFFE)))).toBe('any.test');
    await expect(checkout(host, clusterOf(), target('reviews.test', 'spiffe://other'))).rejects.toMatchObject({
      kind: 'tls',
    });
  });

  it('never uses a plain connection for a host that has become TLS', async () => {
    const host = hostAt((await serveHttp((_, reply) => reply.end('plain'))).port);
    await get(await checkout(host));
    await expect(checkout(host, clusterOf(), target('reviews.test'))).rejects.toMatchObject({ kind: 'tls' });
    await until(() => connections.stats().open === 0);
  });

  it('reports no TLS on the other side as a TLS failure', async () => {
    const host = hostAt((await serve(net.createServer((socket) => socket.end('hello\r\n')))).port);
    await expect(checkout(host, clusterOf(), target('reviews.test'))).rejects.toMatchObject({ kind: 'tls' });
  });
});
