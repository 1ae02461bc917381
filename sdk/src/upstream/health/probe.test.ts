import { createServer as createHttp1, type RequestListener } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock.ts';
import type { Cluster } from '../../model/cluster.ts';
import type { HealthCheckRequest } from '../../model/health-check.ts';
import { LiveHost } from '../host.ts';
import { CHECK } from './health.fixture.ts';
import { probeHost } from './probe.ts';
import type { CheckResult } from './state.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const CLUSTER: Cluster = {
  name: 'reviews',
  discovery: { kind: 'eds', serviceName: 'reviews' },
  connectTimeoutMs: 1_000,
  loadBalancer: { kind: 'random' },
  panicThreshold: 0,
  localityWeighted: false,
  circuitBreakers: { default: {}, high: {} },
  http2: false,
};

function ask(port: number, check: HealthCheckRequest): Promise<CheckResult> {
  const endpoint = { address: '127.0.0.1', port, health: 'healthy', weight: 1 } as const;
  const host = new LiveHost(endpoint, { locality: { region: '', zone: '', subZone: '' }, priority: 0 });
  const target = { host, cluster: CLUSTER, clock: systemClock, check: { ...CHECK, timeoutMs: 5_000, check } };
  return new Promise((resolve) => {
    probeHost(target, resolve);
  });
}

const OK = { kind: 'ok', isDegraded: false };
const HTTP: HealthCheckRequest = {
  kind: 'http',
  path: '/live',
  method: 'GET',
  requestHeaders: { set: [{ name: 'x-check', value: 'yes', action: 'append-or-add', keepEmpty: false }], remove: [] },
  expected: [{ start: 200, end: 201 }],
  retriable: [{ start: 503, end: 504 }],
  http2: false,
  receive: [],
  receiveBytes: 0,
};

describe('http', () => {
  const answering = (answer: RequestListener): Promise<number> => listen(createHttp1(answer));

  it('asks path and host with its headers; the status decides', async () => {
    const seen: unknown[] = [];
    const port = await answering(({ method, url, headers }, response) => {
      seen.push(method, url, headers.host, headers['x-check']);
      response.end();
    });
    expect(await ask(port, HTTP)).toEqual(OK);
    expect(seen).toEqual(['GET', '/live', 'reviews', 'yes']);
  });

  it.each([
    { status: 500, isRetriable: false },
    { status: 503, isRetriable: true },
    { status: 204, isRetriable: false },
  ])('$status is none of the expected ones; retriable: $isRetriable', async ({ status, isRetriable }) => {
    const port = await answering((_, response) => response.writeHead(status).end());
    expect(await ask(port, HTTP)).toEqual({ kind: 'failed', isRetriable, reason: `status ${status}` });
  });

  it('the body must hold what is to be received; x-envoy-degraded degrades', async () => {
    const port = await answering((_, response) => response.setHeader('x-envoy-degraded', '').end('all is well'));
    expect(await ask(port, { ...HTTP, receive: [Buffer.from('all'), Buffer.from('well')] })).toEqual({
      kind: 'ok',
      isDegraded: true,
    });
    expect(await ask(port, { ...HTTP, receive: [Buffer.from('well'), Buffer.from('all')] })).toMatchObject({
      kind: 'failed',
    });
  });

  it('a connection that closes without an answer is a failure that counts', async () => {
    const port = await answering((request) => request.socket.destroy());
    expect(await ask(port, HTTP)).toMatchObject({ kind: 'failed', isRetriable: true });
  });

  it('over HTTP/2 alike', async () => {
    const server = createHttp2().on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.respond({ ':status': headers[':path'] === '/live' ? 200 : 404 });
      stream.end('fine');
    });
    const port = await listen(server as unknown as Server);
    expect(await ask(port, { ...HTTP, http2: true, receive: [Buffer.from('fine')] })).toEqual(OK);
  });
});

describe('tcp', () => {
  it('a connection is enough where nothing is to be received', async () => {
    const port = await listen(createTcp((socket) => socket.end()));
    expect(await ask(port, { kind: 'tcp', receive: [] })).toEqual(OK);
  });

  it('a refused one counts as a failure', async () => {
    const server = createTcp();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(port, { kind: 'tcp', receive: [] })).toMatchObject({ kind: 'failed', isRetriable: true });
  });

  it('what is sent must be answered', async () => {
    const port = await listen(createTcp((socket) => socket.on('data', (chunk) => socket.end(`+${String(chunk)}`))));
    const check = { kind: 'tcp', send: Buffer.from('PING') } as const;
    expect(await ask(port, { ...check, receive: [Buffer.from('+PING')] })).toEqual(OK);
    expect(await ask(port, { ...check, receive: [Buffer.from('PONG')] })).toMatchObject({ kind: 'failed' });
  });
});

describe('grpc (grpc.health.v1.Health/Check)', () => {
  const serving = (status: number, grpcStatus = '0') =>
    listen(
      createHttp2().on('stream', (stream: ServerHttp2Stream, headers) => {
        expect(headers[':path']).toBe('/grpc.health.v1.Health/Check');
        const asked: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => asked.push(chunk));
        stream.on('end', () => {
          expect(Buffer.concat(asked).subarray(5).toString()).toBe('\n\x04cart');
          stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus }));
          stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
        });
      }) as unknown as Server,
    );
  const check: HealthCheckRequest = { kind: 'grpc', service: 'cart', initialMetadata: { set: [], remove: [] } };

  it('SERVING is good, any other state is believed at once', async () => {
    expect(await ask(await serving(1), check)).toEqual(OK);
    expect(await ask(await serving(2), check)).toEqual({
      kind: 'failed',
      isRetriable: false,
      reason: 'the service is NOT_SERVING',
    });
  });

  it('so is an error of the call', async () => {
    expect(await ask(await serving(1, '12'), check)).toMatchObject({ kind: 'failed', reason: 'grpc-status 12' });
  });
});
