import { StreamFailure } from '../connection/stream-failure.ts';
import type { MeshErrorCode } from '../errors.ts';
import { codeOfHttpStatus, codeOfReset, GRPC } from '../wire/grpc-status.ts';
import type { LocalReply } from './local-reply.ts';
import type { ResetKind } from './retry/conditions.ts';

/** What a failure of the mesh or of the network looks like. */
interface Failure {
  readonly code: MeshErrorCode | undefined;
  readonly status: number | undefined;
  readonly grpcStatus?: number | undefined;
  readonly cause?: unknown;
}

/**
 * What a gRPC client is told of a failure: gRPC's `http-grpc-status-mapping.md`, and for a stream that its peer has reset the
 * table of PROTOCOL-HTTP2. Time that is over is DEADLINE_EXCEEDED whoever limited it, as gRFC A31 has it for
 * max_stream_duration.
 */
export function codeOfFailure({ code, status, grpcStatus, cause }: Failure): number {
  if (grpcStatus !== undefined) return grpcStatus;
  if (code === 'MESH_TIMEOUT') return GRPC.deadlineExceeded;
  if (cause instanceof StreamFailure) {
    if (cause.kind === 'reset' && cause.resetCode !== undefined) return codeOfReset(cause.resetCode);
    if (cause.kind === 'protocol') return GRPC.internal;
    return GRPC.unavailable;
  }
  if (code === 'MESH_NOT_READY' || code === 'MESH_NO_ROUTE' || code === 'MESH_BLOCKED') return GRPC.unavailable;
  return status === undefined ? GRPC.unavailable : codeOfHttpStatus(status);
}

/** What an attempt without an answer is to a gRPC retry policy; undefined: our own time or limit, which is not its matter. */
export const codeOfAttempt = (failure: Failure & { readonly kind: ResetKind }): number | undefined =>
  failure.kind === 'overflow' || failure.code === 'MESH_TIMEOUT' ? undefined : codeOfFailure(failure);

/** Envoy Grpc::Utility::httpToGrpcStatus: what a local reply to a gRPC request says where it is told as a response. */
export const codeOfReply = ({ status, grpcStatus }: Pick<LocalReply, 'status' | 'grpcStatus'>): number =>
  grpcStatus ?? codeOfHttpStatus(status);

/** Of a call that its caller has ended: the status it says, as a GrpcEnd and connect's errors do, else CANCELLED. */
export function codeOfAbort(reason: unknown): number {
  if (typeof reason !== 'object' || reason === null || !('code' in reason)) return GRPC.cancelled;
  const { code } = reason;
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 16 ? code : GRPC.cancelled;
}

/** With what a gRPC client of ours ends a call: the reason it gives to `Call.abort`. */
export interface GrpcEnd {
  readonly code: number;
}
