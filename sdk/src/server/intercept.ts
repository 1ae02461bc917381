import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isOfStream } from './http2-session.ts';
import type { Requests } from './requests.ts';

export interface Interception {
  connection(socket: Socket): void;
  /** The application's own TLS has ended its handshake. */
  secureConnection(socket: Socket): void;
  readonly requests: Requests;
}

/**
 * Stands between a server and its listeners, by its `emit`: the one place where whoever calls `listen`, and however many
 * listeners there are, every connection and every request comes by before the application sees it. Returns the way on.
 */
export function intercept(server: Server, { connection, secureConnection, requests }: Interception) {
  const original = server.emit;
  const pass = (event: string, ...args: unknown[]): boolean => Reflect.apply(original, server, [event, ...args]);
  const before: Readonly<Record<string, (args: readonly unknown[], go: () => boolean) => void>> = {
    connection: ([socket]) => connection(socket as Socket),
    secureConnection: ([socket], go) => {
      secureConnection(socket as Socket);
      go();
    },
    session: ([session], go) => {
      requests.session(session as ServerHttp2Session);
      go();
    },
    stream: ([stream, headers, , rawHeaders], go) =>
      requests.stream(stream as ServerHttp2Stream, headers as IncomingHttpHeaders, rawHeaders as string[], go),
    upgrade: ([request, socket], go) => requests.upgrade(request as IncomingMessage, socket as Duplex, go),
    connect: ([request, socket], go) => requests.upgrade(request as IncomingMessage, socket as Duplex, go),
  };
  const ofRequest = ([request, response]: readonly unknown[], go: () => boolean): void => {
    // Of HTTP/2: it came by as a stream.
    if (isOfStream(response)) go();
    else requests.request(request as IncomingMessage, response as ServerResponse, go);
  };
  const events = new Map(Object.entries(before));
  for (const event of ['request', 'checkContinue', 'checkExpectation']) events.set(event, ofRequest);
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    const step = typeof event === 'string' ? events.get(event) : undefined;
    if (step === undefined) return Reflect.apply(original, server, [event, ...args]);
    step(args, () => pass(event as string, ...args));
    return true;
  };
  return pass;
}
