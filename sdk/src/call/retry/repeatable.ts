import type { MeshRequest } from '../../model/request.ts';

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']);

/**
 * Whether a request may be sent again although the peer may have acted on it: by its method, because the caller says so,
 * or because it carries an `Idempotency-Key`. A gRPC call is repeated by the words of its retry policy, which name the
 * statuses of calls that are safe to repeat.
 */
export const isRepeatable = ({ method, headers }: MeshRequest, idempotent: boolean | undefined): boolean =>
  idempotent ?? (IDEMPOTENT.has(method) || headers.includes(KEY) || headers.includes('application/grpc'));

const KEY = 'idempotency-key';
