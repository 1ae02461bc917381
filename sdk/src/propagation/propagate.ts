import type { IncomingHttpHeaders } from 'node:http';
import { systemClock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { expectedMs } from './deadline.ts';
import { type Inbound, propagationStore } from './store.ts';

/** What ties the calls of one request together; what tracing systems and Istio's telemetry ask applications to copy. */
export const PROPAGATED_HEADERS: readonly string[] = [
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-request-id',
  'baggage',
];

export interface PropagateOptions {
  /** Headers handed on besides the tracing ones, such as `end-user`. `authorization` and `cookie` go along only when listed. */
  readonly headers?: readonly string[];
  /**
   * Calls made for a request end when its caller stops waiting (`x-envoy-expected-rq-timeout-ms`, `grpc-timeout`), and
   * tell their peers the time that is left. `false`: they have their own time, whatever the caller said.
   */
  readonly deadline?: boolean;
}

/** An inbound request of Node's http, Express or Fastify. */
export interface InboundRequest {
  readonly headers: IncomingHttpHeaders;
  /** Whose address stands for the caller where a route hashes it (`sourceIp: 'inbound'`). */
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

/** Fits `app.use` of Express and `addHook('onRequest', …)` of Fastify. */
export interface PropagateMiddleware {
  <Request extends InboundRequest>(request: Request, response: unknown, next: () => unknown): void;
  /** Wraps a listener of `http.createServer`. */
  listener<Request extends InboundRequest, Response>(
    listen: (request: Request, response: Response) => unknown,
  ): (request: Request, response: Response) => void;
}

/**
 * Headers of the inbound request go along with the calls made while it is handled: only to hosts of the mesh, never over
 * what the caller set.
 *
 * @example
 * http.createServer(propagate().listener((request, response) => { … }));
 * express().use(propagate({ headers: ['end-user'] }));
 * fastify().addHook('onRequest', propagate());
 */
export function propagate(options: PropagateOptions = {}): PropagateMiddleware {
  const names = new Set([...PROPAGATED_HEADERS, ...(options.headers ?? []).map((name) => name.toLowerCase())]);
  const store = propagationStore();
  const inbound = ({ headers, socket }: InboundRequest): Inbound => {
    const leftMs = options.deadline === false ? undefined : expectedMs(headers);
    return {
      headers: pick(headers, names),
      dueMs: leftMs === undefined ? undefined : systemClock.now() + leftMs,
      sourceIp: socket?.remoteAddress,
    };
  };
  const middleware = (request: InboundRequest, _response: unknown, next: () => unknown): void => {
    store.run(inbound(request), next);
  };
  const listener =
    <Request extends InboundRequest, Response>(listen: (request: Request, response: Response) => unknown) =>
    (request: Request, response: Response): void => {
      store.run(inbound(request), listen, request, response);
    };
  return Object.assign(middleware, { listener });
}

function pick(headers: IncomingHttpHeaders, names: ReadonlySet<string>): readonly string[] {
  const picked: string[] = [];
  const longest = defaultOf('propagatedHeaderBytes');
  for (const name of names) {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    const text = Array.isArray(value) ? value.join(', ') : value;
    if (text !== undefined && text.length <= longest) picked.push(name, text);
  }
  return picked;
}
