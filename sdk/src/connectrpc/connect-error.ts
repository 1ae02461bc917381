import { Code, ConnectError } from '@connectrpc/connect';
import { endOf } from '../grpc/status.ts';

/** What the mesh, the network or a request's own messages failed with. Codes of Connect are numbers of gRPC's. */
export function connectErrorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { code, details } = endOf(error);
  return new ConnectError(details, code, undefined, undefined, error);
}

/** With the words of connect's own deadline. */
export const tooLate = (cause: unknown): ConnectError =>
  new ConnectError('the operation timed out', Code.DeadlineExceeded, undefined, undefined, cause);
