import type { ConnectFailure } from '../connection/connect-failure.ts';
import { type AnswerFields, fieldOf, type WireRequest } from '../connection/exchange.ts';
import { StreamFailure } from '../connection/stream-failure.ts';
import type { AttemptStory, ResponseFlag } from '../model/events.ts';
import type { Outcome } from '../upstream/pick.ts';
import { codeOfText } from '../wire/grpc-status.ts';

/** What an attempt that says nothing of its host comes to. */
export const NOTHING: Outcome = {};

/** A limit of ours says nothing of the host. */
export const connectOutcome = ({ kind }: ConnectFailure): Outcome =>
  kind === 'overflow' || kind === 'closed' ? NOTHING : { error: kind === 'timeout' ? 'timeout' : 'connect' };

/** The connection had been idle, and may have been closed by its peer before the request came (keep-alive race). */
export const isStale = (error: Error): boolean => !(error instanceof StreamFailure) || error.isStale;

/** Of a gRPC call, which is one by its content type whoever makes it; of others the field means nothing. */
export function grpcStatusIn(
  fields: AnswerFields,
  isGrpc: boolean,
  request: WireRequest | undefined,
): number | undefined {
  const text = fieldOf(fields, 'grpc-status');
  if (typeof text !== 'string') return undefined;
  return isGrpc || request?.headers.some(isGrpcType) ? codeOfText(text) : undefined;
}

const isGrpcType = (value: string, index: number, headers: readonly string[]): boolean =>
  index % 2 === 1 && value.startsWith('application/grpc') && headers[index - 1] === 'content-type';

interface Told {
  readonly endpoint: string;
  readonly status: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly flag: ResponseFlag | undefined;
  readonly reason: string | undefined;
}

/** What a call's story has of an attempt. */
export function storyOf(
  { endpoint, status, grpcStatus, flag, reason }: Told,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
  reused: boolean,
): AttemptStory {
  if (flag !== undefined) {
    const why = reason === undefined ? { flag } : { flag, reason };
    const said = grpcStatus === undefined ? {} : { grpcStatus };
    return { endpoint, startMs, endMs, reused, ...why, ...said, ...(status !== undefined && { status }) };
  }
  if (status === undefined) return { endpoint, startMs, endMs, reused };
  return grpcStatus === undefined
    ? { endpoint, startMs, endMs, reused, status }
    : { endpoint, startMs, endMs, reused, status, grpcStatus };
}
