import { codeOfFailure } from '../call/grpc-code.ts';
import { MeshError } from '../errors.ts';
import { headerValue } from '../match/headers.ts';
import { codeOfHttpStatus, codeOfText, GRPC } from '../wire/grpc-status.ts';

/** How a call ended, before it is told to grpc-js. */
export interface CallEnd {
  readonly code: number;
  readonly details: string;
}

/** The status among headers or trailers; undefined: there is none. Codes beyond 16 are UNKNOWN (gRPC statuscodes.md). */
export function statusAmong(headers: readonly string[]): CallEnd | undefined {
  const text = headerValue(headers, 'grpc-status');
  if (text === undefined) return undefined;
  return { code: codeOfText(text), details: decoded(headerValue(headers, 'grpc-message') ?? '') };
}

/** grpc-message is percent-encoded UTF-8; a broken encoding is shown as it came (PROTOCOL-HTTP2). */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What is wrong with a head that begins an answer; undefined: nothing. */
export function faultOfHead(status: number, headers: readonly string[]): CallEnd | undefined {
  if (status !== 200) return { code: codeOfHttpStatus(status), details: `Received HTTP status code ${status}` };
  const type = headerValue(headers, 'content-type') ?? '';
  if (/^application\/grpc(?:$|[+;])/.test(type)) return undefined;
  return { code: GRPC.unknown, details: `Received content-type "${type}" in the place of application/grpc` };
}

/** What the mesh or the network failed with. */
export function endOf(error: unknown): CallEnd {
  if (!(error instanceof MeshError)) {
    return { code: GRPC.internal, details: error instanceof Error ? error.message : String(error) };
  }
  return { code: codeOfFailure(error), details: error.message };
}

/** Nobody was there to take the call: what a call that waits for that (wait-for-ready) goes on waiting after. */
export const isNobodyThere = (error: unknown): boolean => error instanceof MeshError && UNREACHED.has(error.code);

const UNREACHED: ReadonlySet<string> = new Set([
  'MESH_NOT_READY',
  'MESH_NO_CLUSTER',
  'MESH_NO_HEALTHY_UPSTREAM',
  'MESH_CONNECT_FAILED',
]);

export const NO_STATUS: CallEnd = { code: GRPC.internal, details: 'The server ended the answer without a gRPC status' };

export const unknownEncoding = (encoding: string): CallEnd => ({
  code: GRPC.unimplemented,
  details: `Received messages in the encoding "${encoding}", which was not offered`,
});
