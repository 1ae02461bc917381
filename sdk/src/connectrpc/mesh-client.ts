import type { UniversalClientFn, UniversalClientRequest, UniversalClientResponse } from '@connectrpc/connect/protocol';
import type { CallPolicy } from '../http/call-policy.ts';
import { dialledOf } from '../http/dialled.ts';
import { NO_BODY, type RequestBody } from '../http/request-body.ts';
import { flatten, takeConnectionHeaders } from '../http/request-headers.ts';
import type { MeshRuntime } from '../http/runtime.ts';
import { connectErrorOf } from './connect-error.ts';
import { takeTime } from './request-time.ts';
import { UniversalCall } from './universal-call.ts';

/** What one transport's calls have in common. */
export interface MeshClientParts {
  readonly runtime: MeshRuntime;
  /** By which header a time is told. */
  readonly protocol: 'connect' | 'grpc';
  /** Calls of the gRPC protocol: HTTP/2 to the endpoint, whatever its cluster is said to speak. */
  readonly isGrpc: boolean;
  readonly policy: CallPolicy;
  /** For hosts that are none of the mesh's: connect-node's own. */
  readonly plain: UniversalClientFn;
}

/** Calls of one message: it is at hand before anything is sent, and so can be sent as often as the policy wants. */
export const unaryClient =
  (parts: MeshClientParts): UniversalClientFn =>
  async (request) => {
    const bytes = request.body && (await collected(request.body));
    return send(parts, request, bytes === undefined ? NO_BODY : ofBytes(bytes), bytes);
  };

/** Calls whose messages come as they are written. */
export const streamClient =
  (parts: MeshClientParts): UniversalClientFn =>
  (request) =>
    send(parts, request, request.body === undefined ? NO_BODY : ofStream(request.body), undefined);

async function send(
  parts: MeshClientParts,
  request: UniversalClientRequest,
  body: RequestBody,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<UniversalClientResponse> {
  const { runtime, protocol, isGrpc, policy, plain } = parts;
  const { signal } = request;
  if (signal?.aborted) throw connectErrorOf(signal.reason);
  const dialled = dialledOf(new URL(request.url));
  const headers = flatten(request.header);
  const { host } = takeConnectionHeaders(headers);
  const timeoutMs = earlier(takeTime(headers, protocol, runtime.clock.now()), policy.timeoutMs);
  const { scheme, authority, path } = dialled;
  return new Promise((resolve, reject) => {
    const passOn = () => plain(bytes === undefined ? request : { ...request, body: once(bytes) });
    const call = new UniversalCall(runtime, signal, { resolve, reject, passOn });
    call.start({
      dialled,
      request: { method: request.method, scheme, authority: host ?? authority, path, headers },
      body,
      policy: { ...policy, localReply: 'throw', ...(timeoutMs !== undefined && { timeoutMs }) },
      isGrpc,
    });
  });
}

const earlier = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || (other !== undefined && other < one) ? other : one;

const ofBytes = (bytes: Uint8Array): RequestBody => ({
  contentType: undefined,
  replayable: true,
  isEmpty: false,
  length: bytes.byteLength,
  open: () => ({ kind: 'bytes', bytes }),
});

const ofStream = (stream: AsyncIterable<Uint8Array>): RequestBody => ({
  contentType: undefined,
  replayable: false,
  isEmpty: false,
  open: () => ({ kind: 'stream', stream }),
});

async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const [only] = chunks;
  return (chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)) as Uint8Array<ArrayBuffer>;
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
