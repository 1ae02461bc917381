import { headerValue } from '../match/headers.ts';
import type { WeightedCluster } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { incomingHeaders } from '../route/outgoing.ts';
import type { RouteDecision } from '../route/table.ts';
import { codeOfReply } from './grpc-code.ts';
import { bodyBytes, type LocalReply, statusTextOf } from './local-reply.ts';
import type { CallHandler } from './types.ts';

/** What a local reply needs to become a response. The route's and the cluster's response headers are on it too, as in Envoy. */
export interface ReplyContext {
  readonly request: MeshRequest;
  readonly decision: RouteDecision | undefined;
  readonly cluster: WeightedCluster | undefined;
  /** For the `date` header, ms since the epoch. */
  readonly wallTimeMs: number;
}

/** Hands a local reply over as if it had come from the network. */
export function deliver(reply: LocalReply, context: ReplyContext, handler: CallHandler): void {
  const { request, decision, cluster, wallTimeMs } = context;
  const isGrpc = isGrpcRequest(request);
  const body = isGrpc ? NO_BYTES : bodyBytes(reply);
  const status = isGrpc ? 200 : reply.status;
  const headers = isGrpc ? grpcHeaders(reply) : [...reply.headers, 'content-length', String(body.length)];
  if (body.length > 0) headers.push('content-type', reply.contentType ?? 'text/plain');
  headers.push('date', new Date(wallTimeMs).toUTCString());
  const mutated =
    decision === undefined
      ? headers
      : incomingHeaders(decision, cluster, headers, {
          request,
          isThere: reply.flag !== 'NC',
          startTimeMs: wallTimeMs,
        });
  handler.onHeaders(status, mutated, statusTextOf(status));
  if (body.length > 0 && hasBody(request.method, status)) handler.onData(body);
  handler.onEnd([]);
}

const NO_BYTES = new Uint8Array(0);

/** Envoy Grpc::Common::isGrpcRequestHeaders. */
export const isGrpcRequest = ({ headers }: Pick<MeshRequest, 'headers'>): boolean => {
  const type = headerValue(headers, 'content-type');
  return type !== undefined && /^application\/grpc(?:$|[+;])/.test(type);
};

/** Envoy Http::Utility::sendLocalReply: gRPC has its status in headers, and the body as its message. */
function grpcHeaders(reply: LocalReply): string[] {
  const status = codeOfReply(reply);
  const message = new TextDecoder().decode(bodyBytes(reply));
  const headers = [...reply.headers, 'content-type', 'application/grpc', 'grpc-status', String(status)];
  if (message !== '') headers.push('grpc-message', percentEncoded(message));
  return headers;
}

/** gRPC over HTTP/2, Percent-Encoded: visible ASCII but for `%` stays. */
const percentEncoded = (text: string): string =>
  [...new TextEncoder().encode(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');

const hasBody = (method: string, status: number): boolean => method !== 'HEAD' && status !== 204 && status !== 304;
