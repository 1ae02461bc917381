import type { RouteAction } from '../../../gen/route.js';
import { defaultOf } from '../../defaults.ts';
import type { ForwardAction } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { durationMs } from '../values.ts';

type Times = Pick<
  ForwardAction,
  'timeoutMs' | 'idleTimeoutMs' | 'maxStreamDurationMs' | 'grpcTimeoutMaxMs' | 'grpcTimeoutOffsetMs'
>;

/** Envoy RouteAction.timeout, idle_timeout and max_stream_duration. */
export function decodeTimes(message: RouteAction, at: Scope): Times {
  // Envoy RouteAction.timeout: 15 s unless given, 0 = none. max_grpc_timeout is a limit of a header no client of ours sends.
  const timeoutMs = durationMs(message.timeout, at.at('timeout')) ?? defaultOf('routeTimeoutMs');
  const idleTimeoutMs = durationMs(message.idleTimeout, at.at('idle_timeout'));
  const stream = message.maxStreamDuration;
  const here = at.at('max_stream_duration');
  const maxStreamDurationMs = durationMs(stream?.maxStreamDuration, here.at('max_stream_duration'));
  const grpcTimeoutMaxMs = durationMs(stream?.grpcTimeoutHeaderMax, here.at('grpc_timeout_header_max'));
  const grpcTimeoutOffsetMs = durationMs(stream?.grpcTimeoutHeaderOffset, here.at('grpc_timeout_header_offset'));
  return {
    ...(timeoutMs > 0 && { timeoutMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(maxStreamDurationMs !== undefined && { maxStreamDurationMs }),
    ...(grpcTimeoutMaxMs !== undefined && { grpcTimeoutMaxMs }),
    ...(grpcTimeoutOffsetMs !== undefined && { grpcTimeoutOffsetMs }),
  };
}
