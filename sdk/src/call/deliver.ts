import type { WeightedCluster } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { incomingHeaders } from '../route/outgoing.ts';
import type { RouteDecision } from '../route/table.ts';
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
  const body = bodyBytes(reply);
  const headers = [...reply.headers, 'content-length', String(body.length)];
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
  handler.onHeaders(reply.status, mutated, statusTextOf(reply.status));
  if (body.length > 0 && hasBody(request.method, reply.status)) handler.onData(body);
  handler.onEnd([]);
}

const hasBody = (method: string, status: number): boolean => method !== 'HEAD' && status !== 204 && status !== 304;
