import { grpcTimeoutMs, grpcTimeoutText } from '../match/grpc-timeout.ts';
import { headerValue } from '../match/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import type { CallBody } from './body-source.ts';
import { isGrpcRequest } from './deliver.ts';
import { withoutWishes } from './wishes.ts';

const CONTENT_LENGTH = 'content-length';
const EXPECTED = 'x-envoy-expected-rq-timeout-ms';
const GRPC_TIMEOUT = 'grpc-timeout';

/** What an attempt tells its peer of the time it has. */
export interface RequestTimes {
  /** ms; undefined: as long as it takes. */
  readonly expectedMs: number | undefined;
  /** The caller's wishes are among the headers; they are for the mesh. */
  readonly hasWishes: boolean;
}

/** Headers as they are written, `host` first. undici adds `content-length` for bytes and for no body. */
export function wireHeaders({ authority, headers }: MeshRequest, body: CallBody, times?: RequestTimes): string[] {
  // What the caller wrote holds only for a stream whose length nobody else knows.
  const isKnown = body.kind !== 'stream' || body.length !== undefined;
  const kept = isKnown && headers.includes(CONTENT_LENGTH) ? without(headers, CONTENT_LENGTH) : headers;
  const wire = ['host', authority, ...(times?.hasWishes ? withoutWishes(kept) : kept)];
  if (body.kind === 'stream' && body.length !== undefined) wire.push(CONTENT_LENGTH, String(body.length));
  return times?.expectedMs === undefined ? wire : withDeadline(wire, times.expectedMs);
}

/** Envoy FilterUtility::setTimeoutHeaders; a gRPC peer reads its own header. */
function withDeadline(headers: string[], ms: number): string[] {
  const timed = headers.includes(EXPECTED) ? without(headers, EXPECTED) : headers;
  timed.push(EXPECTED, String(ms));
  if (!isGrpcRequest({ headers: timed })) return timed;
  // Never more than the caller's own.
  const own = grpcTimeoutMs(headerValue(timed, GRPC_TIMEOUT));
  if (own !== undefined && own <= ms) return timed;
  return [...without(timed, GRPC_TIMEOUT), GRPC_TIMEOUT, grpcTimeoutText(ms)];
}

const without = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)] !== name);
