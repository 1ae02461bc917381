import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { peerOf } from '../../../sdk/src/server/index.ts';

/** What an application sees of a request. */
export interface Seen {
  readonly peer: string | undefined;
  readonly version: string;
  readonly xfcc: string | undefined;
  readonly headers: readonly string[];
}

function show(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
  const seen = {
    peer: peerOf(request)?.id,
    version: request.httpVersion,
    xfcc: request.headers['x-forwarded-client-cert'],
    headers: Object.keys(request.headers),
  };
  // Both kinds of response have this form of it.
  (response as ServerResponse).end(JSON.stringify(seen));
}

export const showApp = (): http.Server => http.createServer(show);
export const showHttp2App = (): http2.Http2Server => http2.createServer(show);

export const seen = (text: string): Seen => JSON.parse(text);

export async function listenPlain(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
