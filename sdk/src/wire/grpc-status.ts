import type { IncomingHttpHeaders } from 'node:http2';

export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
}

export const GRPC = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Of a `grpc-status` header or trailer. Anything but 0-16 is UNKNOWN (gRPC statuscodes.md). */
export const codeOfText = (text: string): number =>
  /^\d{1,2}$/.test(text) && Number(text) <= 16 ? Number(text) : GRPC.unknown;

/** gRPC `doc/http-grpc-status-mapping.md`: what an HTTP status means when no grpc-status came. */
export function codeOfHttpStatus(status: number): number {
  if (status === 400) return GRPC.internal;
  if (status === 401) return GRPC.unauthenticated;
  if (status === 403) return GRPC.permissionDenied;
  if (status === 404) return GRPC.unimplemented;
  return [429, 502, 503, 504].includes(status) ? GRPC.unavailable : GRPC.unknown;
}

/** grpc-message is percent-encoded UTF-8; a broken encoding is shown as it came (gRPC PROTOCOL-HTTP2). */
function decodeMessage(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

/** The status that trailers, or the headers of a trailers-only response, carry; undefined when they carry none. */
export function statusOfTrailers(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const raw = headers['grpc-status'];
  if (raw === undefined) return undefined;
  const code = Number(raw);
  const message = decodeMessage(String(headers['grpc-message'] ?? ''));
  // Anything but 0-16 is UNKNOWN (gRPC statuscodes.md).
  return { code: Number.isInteger(code) && code >= 0 && code <= 16 ? code : GRPC.unknown, message };
}

/** What is wrong with response headers that start a gRPC answer; undefined when nothing is. */
export function statusOfHeaders(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const status = Number(headers[':status']);
  const type = String(headers['content-type'] ?? '');
  if (status !== 200) return { code: codeOfHttpStatus(status), message: `HTTP ${status} instead of a gRPC answer` };
  if (!/^application\/grpc(?:$|[+;])/.test(type)) {
    return { code: GRPC.unknown, message: `content-type "${type}" instead of application/grpc` };
  }
  return undefined;
}

/** HTTP/2 error codes → gRPC (PROTOCOL-HTTP2, "Errors"). */
export function codeOfReset(rstCode: number): number {
  if (rstCode === 7) return GRPC.unavailable; // REFUSED_STREAM
  if (rstCode === 8) return GRPC.cancelled; // CANCEL
  if (rstCode === 11) return GRPC.resourceExhausted; // ENHANCE_YOUR_CALM
  if (rstCode === 12) return GRPC.permissionDenied; // INADEQUATE_SECURITY
  return GRPC.internal;
}
