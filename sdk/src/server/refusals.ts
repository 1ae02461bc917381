import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

/** As Envoy answers where a circuit breaker of the cluster is full: flag UO. */
const OVERFLOW = 'upstream connect error or disconnect/reset before headers. reset reason: overflow';

const isGrpc = (headers: IncomingHttpHeaders): boolean =>
  headers['content-type'] === 'application/grpc' || headers['content-type']?.startsWith('application/grpc+') === true;

/** Envoy answers gRPC in its own terms: HTTP 200, and UNAVAILABLE for a 503. */
const GRPC_OVERFLOW = {
  'content-type': 'application/grpc',
  'grpc-status': '14',
  'grpc-message': encodeURIComponent(OVERFLOW).replaceAll('%20', ' '),
  'x-envoy-overloaded': 'true',
};

export function answerOverflow(headers: IncomingHttpHeaders, response: ServerResponse): void {
  if (isGrpc(headers)) response.writeHead(200, GRPC_OVERFLOW).end();
  else response.writeHead(503, { 'content-type': 'text/plain', 'x-envoy-overloaded': 'true' }).end(OVERFLOW);
}

export function answerStreamOverflow(headers: IncomingHttpHeaders, stream: ServerHttp2Stream): void {
  if (isGrpc(headers)) {
    stream.respond({ ':status': 200, ...GRPC_OVERFLOW }, { endStream: true });
    return;
  }
  stream.respond({ ':status': 503, 'content-type': 'text/plain', 'x-envoy-overloaded': 'true' });
  stream.end(OVERFLOW);
}
