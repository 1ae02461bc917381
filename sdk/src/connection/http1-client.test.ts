import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemTurn } from '../clock.ts';
import type { ParsedHeaders, RequestController, RequestHandler, WireRequest } from './exchange.ts';
import { ConnectionGone, type CreateHttp1Client, withHttp1 } from './http1-client.ts';

/** What we rely on in undici's Client on a socket of ours. Run on the lowest and the newest release of the range. */
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const createClient = (): Promise<CreateHttp1Client> => new Promise((resolve, reject) => withHttp1(resolve, reject));

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function connect(port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  open.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const OPTIONS = { origin: 'http://reviews:9080', idleMs: undefined };
const GET: WireRequest = { method: 'GET', path: '/', headers: ['host', 'reviews'], body: null, upgrade: null };

class Recorder implements RequestHandler {
  readonly log: string[] = [];
  readonly done: Promise<void>;
  controller: RequestController | undefined;
  error: Error | undefined;
  withdraw = false;
  #finish = (): void => {};

  constructor() {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }
  onRequestStart(controller: RequestController): void {
    this.controller = controller;
    this.log.push('start');
    if (this.withdraw) throw new Error('withdrawn');
  }
  onRequestSent(): void {
    this.log.push('sent');
  }
  onResponseStarted(): void {
    this.log.push('began');
  }
  onResponseStart(_: RequestController, status: number, headers: ParsedHeaders, text?: string): void {
    this.log.push(`head ${status} ${text} ${headers['x-one'] ?? ''}`.trim());
  }
  onResponseData(_: RequestController, chunk: Uint8Array): void {
    this.log.push(`data ${new TextDecoder().decode(chunk)}`);
  }
  onResponseEnd(): void {
    this.log.push('end');
    this.#finish();
  }
  onRequestUpgrade(_: RequestController, status: number): void {
    this.log.push(`upgrade ${status}`);
    this.#finish();
  }
  onResponseError(_: RequestController | null, error: Error): void {
    this.log.push('error');
    this.error = error;
    this.#finish();
  }
}

const send = async (client: Awaited<ReturnType<typeof clientOn>>, request = GET): Promise<Recorder> => {
  const recorder = new Recorder();
  client.dispatch(request, recorder);
  await recorder.done;
  return recorder;
};

async function clientOn(port: number) {
  const create = await createClient();
  return create(await connect(port), OPTIONS);
}

describe("undici's client on a dialled socket", () => {
  it('tells each step once, in order', async () => {
    const port = await listen(http.createServer((_, reply) => reply.setHeader('X-One', '1').end('hello')));
    const { log } = await send(await clientOn(port));
    expect(log).toEqual(['start', 'sent', 'began', 'head 200 OK 1', 'data hello', 'end']);
  });

  it('sends the host header it is given, a different one each time, on one connection', async () => {
    let connections = 0;
    const server = http.createServer((request, reply) => reply.end(request.headers.host));
    server.on('connection', () => connections++);
    const client = await clientOn(await listen(server));
    expect((await send(client)).log).toContain('data reviews');
    expect((await send(client, { ...GET, headers: ['host', 'ratings:9080'] })).log).toContain('data ratings:9080');
    expect(connections).toBe(1);
  });

  it('sends nothing for a request whose start throws, and serves the next one on the same socket', async () => {
    let requests = 0;
    const port = await listen(
      http.createServer((_, reply) => {
        requests++;
        reply.end('x');
      }),
    );
    const client = await clientOn(port);
    await send(client);
    const taken = new Recorder();
    taken.withdraw = true;
    client.dispatch(GET, taken);
    await taken.done;
    expect(taken.log).toEqual(['start', 'error']);
    expect((await send(client)).log).toContain('data x');
    expect(requests).toBe(2);
  });

  it('ends a request with the very reason of its abort, at once', async () => {
    const port = await listen(http.createServer(() => {}));
    const recorder = new Recorder();
    (await clientOn(port)).dispatch(GET, recorder);
    while (recorder.controller === undefined) await new Promise<void>((resolve) => systemTurn(resolve));
    const reason = new Error('enough');
    recorder.controller.abort(reason);
    expect(recorder.error).toBe(reason);
  });

  it('never opens a second connection: a request that comes too late fails with ConnectionGone', async () => {
    const server = http.createServer((_, reply) => reply.setHeader('connection', 'close').end('x'));
    const client = await clientOn(await listen(server));
    await send(client);
    const late = await send(client);
    expect(late.log).toEqual(['error']);
    expect(late.error).toBeInstanceOf(ConnectionGone);
  });

  it('tells that a response has begun although its head is incomplete', async () => {
    const port = await listen(
      net.createServer((socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-')).on('error', () => {}),
      ),
    );
    expect((await send(await clientOn(port))).log).toEqual(['start', 'sent', 'began', 'error']);
  });

  it('says UND_ERR_INVALID_ARG for a request that cannot be sent, and keeps the connection', async () => {
    const client = await clientOn(await listen(http.createServer((_, reply) => reply.end('x'))));
    const invalid = await send(client, { ...GET, headers: ['host', 'reviews', 'bad header', '1'] });
    expect(invalid.error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' });
    expect((await send(client)).log).toContain('data x');
  });

  it('gives the socket away on an upgrade', async () => {
    const server = http.createServer();
    server.on('upgrade', (_, socket) =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
    );
    const client = await clientOn(await listen(server));
    expect((await send(client, { ...GET, upgrade: 'websocket' })).log).toContain('upgrade 101');
  });
});
