import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Arrival, FaultLedger } from './fault-server-ledger.ts';
import { type FaultStep, parseScript, stepOf } from './fault-server-script.ts';
import { goAway, refusingPort, reset } from './fault-server-sockets.ts';

/** How one server of a group misbehaves apart from the scripts that requests bring along. */
export interface FaultServerOptions {
  /** What it calls itself: the body of its answers and `x-host`. */
  readonly name: string;
  /** `h2` is HTTP/2 in clear text with prior knowledge. */
  readonly protocol?: 'h1' | 'h2';
  /** Of requests without `x-script` and `x-script-NAME`. `ok` where absent. */
  readonly script?: string;
  /** `refuse`: the port is closed. `close`: accepts and closes. `hold`: accepts and says nothing. */
  readonly connections?: 'refuse' | 'close' | 'hold';
  /** Answers this many requests a connection, and resets it when one more comes: the keep-alive race. */
  readonly dropsAfter?: number;
  /** Closes a connection (FIN, unannounced) after this many answers. */
  readonly closesAfter?: number;
  /** Closes a connection that has been idle for so long. */
  readonly idleMs?: number;
  /** `connection: close` with every answer: no connection is used twice. */
  readonly announcesClose?: boolean;
  /** `Keep-Alive` of every answer: `timeout=5`. */
  readonly keepAlive?: string;
  readonly maxConcurrentStreams?: number;
  /** Its arrivals are counted apart: it is sent copies. */
  readonly isMirror?: boolean;
}

export interface FaultServer {
  readonly name: string;
  readonly port: number;
  readonly isMirror: boolean;
  readonly counts: FaultCounts;
  /** Resets every connection that is open. */
  resetAll(): void;
}

interface FaultCounts {
  requests: number;
  connectionsTotal: number;
  connectionsOpen: number;
  /** Most requests under way at a time. */
  peak: number;
  active: number;
}

/** Servers that share one ledger. */
export interface FaultServers {
  readonly servers: readonly FaultServer[];
  /** What reached the servers that are no mirrors. */
  readonly ledger: FaultLedger;
  readonly mirrored: FaultLedger;
  close(): Promise<void>;
}

export async function startFaultServers(
  list: readonly FaultServerOptions[],
  remembered?: number,
): Promise<FaultServers> {
  const ledger = new FaultLedger(remembered);
  const mirrored = new FaultLedger(remembered);
  const servers = await Promise.all(list.map((options) => start(options, options.isMirror ? mirrored : ledger)));
  return { servers, ledger, mirrored, close: async () => void (await Promise.all(servers.map((one) => one.close()))) };
}

type Closable = FaultServer & { close(): Promise<void> };

async function start(options: FaultServerOptions, ledger: FaultLedger): Promise<Closable> {
  const live = new Live(options, ledger);
  const server = options.protocol === 'h2' ? live.http2Server() : live.http1Server();
  const front = net.createServer({ noDelay: true }, (socket) => live.connected(socket, server));
  await new Promise<void>((resolve, reject) => front.once('error', reject).listen(0, '127.0.0.1', resolve));
  const bound = front.address();
  const own = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const closed = () => new Promise<void>((resolve) => front.close(() => resolve()));
  return {
    name: options.name,
    port: options.connections === 'refuse' ? await refusingPort() : own,
    isMirror: options.isMirror ?? false,
    counts: live.counts,
    resetAll: () => live.resetAll(),
    async close() {
      live.resetAll();
      if (front.listening) await closed();
    },
  };
}

/** What an answer is written to, in HTTP/1.1 or HTTP/2. */
interface Exchange {
  readonly socket: net.Socket;
  readonly request: http.IncomingMessage | http2.Http2ServerRequest;
  readonly response: http.ServerResponse | http2.Http2ServerResponse;
  readonly stream?: http2.ServerHttp2Stream;
}

const HEADER_SCRIPT = 'x-script';
const HEADER_CALL = 'x-call';

class Live {
  readonly counts: FaultCounts = { requests: 0, connectionsTotal: 0, connectionsOpen: 0, peak: 0, active: 0 };
  readonly #options: FaultServerOptions;
  readonly #ledger: FaultLedger;
  /** By the peer's port: HTTP/2 hides its socket behind a proxy. */
  readonly #sockets = new Map<number, net.Socket>();
  readonly #numbers = new WeakMap<net.Socket, { readonly number: number; requests: number; answers: number }>();
  /** Requests of a call so far at this host alone: what `x-script-NAME` goes by. */
  readonly #own = new Map<string, number>();

  constructor(options: FaultServerOptions, ledger: FaultLedger) {
    this.#options = options;
    this.#ledger = ledger;
  }

  connected(socket: net.Socket, server: http.Server | http2.Http2Server): void {
    const peer = socket.remotePort ?? 0;
    this.#numbers.set(socket, { number: this.counts.connectionsTotal++, requests: 0, answers: 0 });
    this.counts.connectionsOpen++;
    this.#sockets.set(peer, socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.counts.connectionsOpen--;
      this.#sockets.delete(peer);
    });
    // Read, or the peer's end is never heard of.
    if (this.#options.connections === 'close') socket.resume().end();
    else if (this.#options.connections !== 'hold') server.emit('connection', socket);
    else socket.resume();
  }

  http1Server(): http.Server {
    const { idleMs } = this.#options;
    const server = http.createServer(
      { keepAliveTimeout: idleMs ?? 0, keepAliveTimeoutBuffer: 0 },
      (request, response) => this.#exchange({ socket: request.socket, request, response }),
    );
    const tunnel = (request: http.IncomingMessage, socket: Duplex): void => {
      this.#register(request, this.#socketOf(request.socket));
      socket.on('error', () => {});
      const head = request.method === 'CONNECT' ? '200 OK' : '101 Switching Protocols';
      const upgrade = request.method === 'CONNECT' ? '' : 'connection: upgrade\r\nupgrade: websocket\r\n';
      socket.write(`HTTP/1.1 ${head}\r\nx-host: ${this.#options.name}\r\n${upgrade}\r\n`);
      pipeline(socket, socket, () => {});
    };
    server.on('upgrade', tunnel);
    server.on('connect', tunnel);
    server.on('clientError', (_error, socket) => socket.destroy());
    return server;
  }

  http2Server(): http2.Http2Server {
    const { maxConcurrentStreams } = this.#options;
    const settings = maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } };
    const server = http2.createServer(settings, (request, response) => {
      const socket = this.#sockets.get(request.stream.session?.socket.remotePort ?? 0);
      request.stream.on('error', () => {});
      if (socket !== undefined) this.#exchange({ socket, request, response, stream: request.stream });
    });
    server.on('session', (session) => session.on('error', () => {}));
    server.on('sessionError', () => {});
    return server;
  }

  resetAll(): void {
    for (const socket of this.#sockets.values()) reset(socket);
  }

  #socketOf(socket: net.Socket): net.Socket {
    return this.#sockets.get(socket.remotePort ?? 0) ?? socket;
  }

  #register(request: Exchange['request'], socket: net.Socket): { readonly arrival: Arrival; readonly step: FaultStep } {
    const { name, script = 'ok' } = this.#options;
    const call = String(request.headers[HEADER_CALL] ?? '');
    this.counts.requests++;
    const own = (this.#own.get(call) ?? 0) + 1;
    this.#own.set(call, own);
    if (this.#own.size > 10_000) this.#own.delete(this.#own.keys().next().value ?? '');
    const arrival = this.#ledger.arrived(call, {
      host: name,
      atMs: performance.now(),
      connection: this.#numbers.get(socket)?.number ?? 0,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      bodyBytes: 0,
    });
    const forMe = request.headers[`${HEADER_SCRIPT}-${name}`];
    const steps = parseScript(String(forMe ?? request.headers[HEADER_SCRIPT] ?? script));
    const counted = this.#options.isMirror || forMe !== undefined ? own : arrival.attempt;
    return { arrival, step: stepOf(this.#options.isMirror ? parseScript(script) : steps, counted) };
  }

  #exchange(exchange: Exchange): void {
    const { request, response } = exchange;
    const socket = this.#socketOf(exchange.socket);
    const connection = this.#numbers.get(socket);
    const { dropsAfter = Number.POSITIVE_INFINITY } = this.#options;
    const { arrival, step } = this.#register(request, socket);
    if (connection && ++connection.requests > dropsAfter) {
      reset(socket);
      return;
    }
    this.counts.peak = Math.max(this.counts.peak, ++this.counts.active);
    response.once('close', () => this.counts.active--);
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => {
      arrival.bodyBytes += chunk.length;
    });
    request.on('end', async () => {
      if (step.waitMs > 0) await delay(step.waitMs);
      if (!socket.destroyed) this.#act(step, { ...exchange, socket });
    });
  }

  #act(step: FaultStep, exchange: Exchange): void {
    const { socket, response, stream } = exchange;
    switch (step.action) {
      case 'stall':
        return;
      case 'reset':
        reset(socket);
        return;
      case 'close':
        socket.destroySoon();
        return;
      case 'refuse':
        stream?.close(http2.constants.NGHTTP2_REFUSED_STREAM);
        return;
      case 'rst':
        stream?.close(step.code);
        return;
      case 'goaway':
        if (stream !== undefined) goAway(stream);
        break;
      case 'goaway-below':
        if (stream !== undefined) goAway(stream, Math.max(0, (stream.id ?? 0) - 2));
        return;
    }
    const body = step.body ?? this.#options.name;
    const half = body.slice(0, body.length >> 1);
    const partial = ['reset-headers', 'reset-body', 'truncate', 'stall-body'].includes(step.action);
    this.#head(step, exchange, partial ? body.length + 100 : undefined);
    if (!partial) {
      this.#end(step, exchange, body);
      return;
    }
    if (step.action === 'reset-headers') {
      if (response instanceof http.ServerResponse) response.flushHeaders();
      else response.stream.respond({ ':status': step.status });
    } else if (response instanceof http.ServerResponse) response.write(half);
    else response.write(half);
    // What was written must have left before the reset overtakes it.
    if (step.action !== 'stall-body')
      setTimeout(() => (step.action === 'truncate' ? socket.destroySoon() : reset(socket)), 20);
  }

  #head(step: FaultStep, { response, socket }: Exchange, length: number | undefined): void {
    const { name, keepAlive, closesAfter, announcesClose } = this.#options;
    response.statusCode = step.status;
    response.setHeader('x-host', name);
    for (const [header, value] of step.headers) response.setHeader(header, value);
    if (!(response instanceof http.ServerResponse)) return;
    if (length !== undefined) response.setHeader('content-length', String(length));
    if (announcesClose) response.setHeader('connection', 'close');
    if (keepAlive !== undefined) response.setHeader('keep-alive', keepAlive);
    const connection = this.#numbers.get(socket);
    if (connection && ++connection.answers === closesAfter) response.once('finish', () => socket.destroySoon());
  }

  #end(step: FaultStep, { response }: Exchange, body: string): void {
    const trailers = Object.fromEntries(step.trailers);
    const text = step.status === 204 || step.status === 304 ? '' : body;
    if (!(response instanceof http.ServerResponse)) {
      response.addTrailers(trailers);
      response.end(text);
      return;
    }
    if (step.trailers.length > 0) {
      response.setHeader('trailer', step.trailers.map(([name]) => name).join(', '));
      response.write(text);
      response.addTrailers(trailers);
      response.end();
    } else response.end(text);
  }
}
