/** Who is at the other end of a request, as mutual TLS has proven; headers have no say in it. */
export interface Peer {
  /** `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT` */
  readonly id: string;
  readonly trustDomain: string;
  /** undefined where the id is not of Istio's form. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
}

/** Under a versioned symbol: what one copy of the package has verified another may ask for. */
const PEER: unique symbol = Symbol.for('inmesh.peer.1') as never;

interface Proven {
  [PEER]?: Peer;
}

/** A request of Node's http or http2, Express or Nest; a socket or a stream; a request of Fastify; a context of Hono; a call of grpc-js. */
export type PeerSource =
  | { readonly socket?: unknown }
  | { readonly session?: unknown }
  | { readonly raw: unknown }
  | { readonly env: unknown }
  | { readonly metadata: unknown; getPeer(): string };

/** A call of grpc-js stands in front of one object for each interceptor, then stream, session and socket. */
const DEEPEST = 64;

export function setPeer(socket: object, peer: Peer): void {
  Object.defineProperty(socket, PEER, { value: peer, configurable: true });
}

/**
 * The workload that made a request, proven by its certificate; undefined: it came in plain, or by TLS of the application's own.
 *
 * @example
 * http.createServer((request, response) => {
 *   if (peerOf(request)?.serviceAccount !== 'productpage') { … }
 * });
 */
export function peerOf(source: PeerSource): Peer | undefined {
  for (let at: unknown = source, depth = 0; isObject(at) && depth < DEEPEST; depth++) {
    const found = look(at);
    if (found === undefined) return undefined;
    if ('peer' in found) return found.peer;
    at = found.next;
  }
  return undefined;
}

function look(at: object): { readonly peer: Peer } | { readonly next: unknown } | undefined {
  try {
    const peer = (at as Proven)[PEER];
    return peer === undefined ? { next: next(at) } : { peer };
  } catch {
    // HTTP/2 shows a socket through a proxy, which throws once the session is gone.
    return undefined;
  }
}

function next(at: object): unknown {
  const { raw, env, session, socket, getPeer } = at as Partial<Record<string, unknown>>;
  // Private, and the same from 1.10 to the newest release: call → one of each interceptor → the stream.
  if (typeof getPeer === 'function') {
    const { call, nextCall, stream } = at as Partial<Record<string, unknown>>;
    return call ?? nextCall ?? stream;
  }
  // A stream of HTTP/2 has its session, and that its socket; a `session` beside a socket is some middleware's.
  if (isObject(socket)) return socket;
  // Fastify's request and Hono's context carry Node's.
  if (isObject(raw)) return raw;
  return isObject(env) && 'incoming' in env ? env.incoming : session;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
