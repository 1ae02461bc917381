/**
 * The only file that touches undici: its HTTP/1.1 client on a socket we have dialled. What it relies on is held by
 * http1-client.test.ts.
 */

import type { Socket } from 'node:net';
import { defaultOf } from '../defaults.ts';
import type { RequestHandler, WireRequest } from './exchange.ts';

export interface Http1Client {
  dispatch(request: WireRequest, handler: RequestHandler): void;
}

export interface Http1Options {
  /** `http://address:port`, for undici's diagnostics; what is sent comes from the request alone. */
  readonly origin: string;
  /** The cluster's idle timeout, where it has one. */
  readonly idleMs: number | undefined;
}

export type CreateHttp1Client = (socket: Socket, options: Http1Options) => Http1Client;

/** What the deep import is expected to give. */
interface UndiciClientModule {
  readonly default: new (origin: string, options: ReturnType<typeof clientOptions>) => Http1Client;
}

let loaded: CreateHttp1Client | undefined;

async function load(): Promise<CreateHttp1Client> {
  const { default: Client }: UndiciClientModule = await import('undici/lib/dispatcher/client.js');
  const create: CreateHttp1Client = (socket, options) => new Client(options.origin, clientOptions(socket, options));
  loaded = create;
  return create;
}

/** Calls back with the client's constructor: at once when it is loaded, else after loading it. */
export function withHttp1(run: (create: CreateHttp1Client) => void, failed: (error: unknown) => void): void {
  if (loaded === undefined) load().then(run, failed);
  else run(loaded);
}

/** Answered when undici asks for a second socket: a request that comes too late for the first one fails with this. */
export class ConnectionGone extends Error {
  constructor() {
    super('the connection was closed before the request could be sent');
    this.name = 'ConnectionGone';
  }
}

/** The origin is `http:` also over TLS: with `https:` undici reconnects whenever the Host header changes. */
function clientOptions(socket: Socket, { idleMs }: Http1Options) {
  let given = false;
  return {
    pipelining: 1,
    allowH2: false,
    // Timeouts are the call's own: undici's tick in half seconds and start at the write.
    headersTimeout: 0,
    bodyTimeout: 0,
    // Idle connections that nobody checks out are closed by undici's timer, by the same rules as at checkout.
    keepAliveTimeout: idleMs ?? defaultOf('foreignIdleMs'),
    keepAliveTimeoutThreshold: defaultOf('keepAliveMarginMs'),
    keepAliveMaxTimeout: idleMs ?? defaultOf('hintedIdleMaxMs'),
    // A synchronous answer would hang the request.
    connect: (_: unknown, answer: (...args: [error: null, socket: Socket] | [error: Error, socket: null]) => void) => {
      if (given) return queueMicrotask(() => answer(new ConnectionGone(), null));
      given = true;
      queueMicrotask(() => answer(null, socket));
    },
  };
}
