import { type Clock, systemTurn, type Timer } from '../clock.ts';
import type { Channel } from './channel.ts';
import { GRPC, type GrpcStatus } from './grpc-status.ts';
import { openGrpcStream } from './grpc-stream.ts';
import { patientTimer } from './late-timer.ts';

/** A call that ended with a status other than OK, or without the one answer it was to have. */
export class GrpcCallError extends Error {
  readonly code: number;

  constructor({ code, message }: GrpcStatus) {
    super(`${message || 'no message'} (${nameOfCode(code)})`);
    this.name = 'GrpcCallError';
    this.code = code;
  }
}

const nameOfCode = (code: number): string =>
  Object.entries(GRPC)
    .find(([, number]) => number === code)?.[0]
    .replace(/[A-Z]/g, '_$&')
    .toUpperCase() ?? `gRPC status ${code}`;

export interface UnaryCall {
  readonly channel: Channel;
  /** `/package.Service/Method` */
  readonly path: string;
  readonly request: Uint8Array;
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly maxMessageBytes: number;
}

/** One question, one answer, on a connection of its own. Rejects with a GrpcCallError. */
export function callUnary(call: UnaryCall): Promise<Uint8Array> {
  const { channel, path, request, clock, deadlineMs, maxMessageBytes } = call;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  let answer: Uint8Array | undefined;
  let timer: Timer | undefined;
  const fail = (status: GrpcStatus): void => {
    timer?.cancel();
    reject(new GrpcCallError(status));
  };
  const stream = openGrpcStream(
    {
      channel,
      path,
      kind: 'call',
      clock,
      maxMessageBytes,
      metadata: { 'grpc-timeout': `${Math.ceil(deadlineMs)}m` },
    },
    {
      message(bytes) {
        if (answer === undefined) answer = bytes;
        else {
          stream.close();
          fail({ code: GRPC.internal, message: 'more than one answer to one question' });
        }
      },
      close(status) {
        if (status.code !== GRPC.ok) return fail(status);
        if (answer === undefined) return fail({ code: GRPC.internal, message: 'the call ended without an answer' });
        timer?.cancel();
        resolve(answer);
      },
    },
  );
  timer = patientTimer({ clock, turn: systemTurn }, deadlineMs, () => {
    stream.close();
    fail({ code: GRPC.deadlineExceeded, message: `no answer within ${deadlineMs} ms` });
  });
  stream.send(request);
  stream.end();
  return promise;
}
