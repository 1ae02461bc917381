import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

/** An answer in the application's place. */
export interface Refusal {
  readonly status: number;
  /** To requests of gRPC, which are answered in its own terms: HTTP 200. */
  readonly grpcStatus: number;
  readonly body: string;
  readonly isOverload?: true;
}

/** As Envoy answers where a circuit breaker of the cluster is full: flag UO; UNAVAILABLE for a 503. */
export const OVERFLOW: Refusal = {
  status: 503,
  grpcStatus: 14,
  body: 'upstream connect error or disconnect/reset before headers. reset reason: overflow',
  isOverload: true,
};

const isGrpc = (headers: IncomingHttpHeaders): boolean =>
  headers['content-type'] === 'application/grpc' || /^application\/grpc[+;]/.test(headers['content-type'] ?? '');

const overloaded = ({ isOverload }: Refusal) => (isOverload ? { 'x-envoy-overloaded': 'true' } : {});

const grpcHead = (refusal: Refusal) => ({
  'content-type': 'application/grpc',
  'grpc-status': String(refusal.grpcStatus),
  'grpc-message': encodeURIComponent(refusal.body).replaceAll('%20', ' '),
  ...overloaded(refusal),
});

const head = (refusal: Refusal) => ({ 'content-type': 'text/plain', ...overloaded(refusal) });

export function refuseRequest(headers: IncomingHttpHeaders, response: ServerResponse, refusal: Refusal): void {
  if (isGrpc(headers)) response.writeHead(200, grpcHead(refusal)).end();
  else response.writeHead(refusal.status, head(refusal)).end(refusal.body);
}

export function refuseStream(headers: IncomingHttpHeaders, stream: ServerHttp2Stream, refusal: Refusal): void {
  // It may have gone while a fault held it up; reset without an error it waits for somebody to read what it had sent.
  if (stream.destroyed || stream.closed) {
    stream.destroy();
    return;
  }
  if (isGrpc(headers)) {
    stream.respond({ ':status': 200, ...grpcHead(refusal) }, { endStream: true });
    return;
  }
  stream.respond({ ':status': refusal.status, ...head(refusal) });
  stream.end(refusal.body);
}
