import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What a backend saw of a call; its answer, in JSON. */
export interface Seen {
  readonly backend: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
  /** subjectAltName of the caller's certificate. */
  readonly caller?: string;
}

/** Trailers only, after `delayMs`; without a status the call is answered. */
export interface Misbehaviour {
  readonly grpcStatus?: number;
  readonly delayMs?: number;
}

/** A gRPC server of any method, in frames written by hand: one that answers what it saw, or fails as told. */
export interface Backend {
  readonly name: string;
  readonly port: number;
  /** Calls that have arrived. */
  readonly calls: readonly Seen[];
  /** How it takes calls from now on. */
  behave(next: (seen: Seen) => Misbehaviour | undefined): void;
  close(): Promise<void>;
}

const seen = (backend: string, headers: IncomingHttpHeaders): Seen => {
  const plain = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  return {
    backend,
    path: String(headers[':path']),
    authority: String(headers[':authority']),
    headers: Object.fromEntries(plain),
  };
};

function callerOf({ session }: ServerHttp2Stream): { readonly caller?: string } {
  const socket = session?.socket;
  const caller = socket instanceof TLSSocket ? socket.getPeerCertificate().subjectaltname : undefined;
  return caller === undefined ? {} : { caller };
}

/** Length-prefixed, not compressed (gRPC over HTTP/2). */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function answer(stream: ServerHttp2Stream, told: Seen, grpcStatus: number | undefined): void {
  if (stream.destroyed) return;
  const head = { ':status': 200, 'content-type': 'application/grpc' };
  if (grpcStatus !== undefined) {
    stream.respond({ ...head, 'grpc-status': String(grpcStatus), 'grpc-message': told.backend }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frame(Buffer.from(JSON.stringify(told))));
}

export interface BackendOptions {
  /** A free one where absent. */
  readonly port?: number;
  /** In PEM: then it takes nothing but mutual TLS. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

export async function startBackend(name: string, { port = 0, tls }: BackendOptions = {}): Promise<Backend> {
  const calls: Seen[] = [];
  const sessions = new Set<ServerHttp2Session>();
  let behave: (one: Seen) => Misbehaviour | undefined = () => undefined;
  const server = tls ? createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: true }) : createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {}).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const told = { ...seen(name, headers), ...callerOf(stream) };
    calls.push(told);
    const { grpcStatus, delayMs = 0 } = behave(told) ?? {};
    stream.on('error', () => {}).resume();
    stream.once('end', () => {
      if (delayMs > 0) setTimeout(answer, delayMs, stream, told, grpcStatus);
      else answer(stream, told, grpcStatus);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    name,
    port: (server.address() as AddressInfo).port,
    calls,
    behave: (next) => {
      behave = next;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}
