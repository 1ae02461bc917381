import type { ForwardAction } from '../model/action.ts';
import type { CircuitBreaker, Cluster } from '../model/cluster.ts';

/** What the configuration asks for and this client does not do: said where the reader would expect it to happen. */
export function notesOn(action: ForwardAction, cluster: Cluster | undefined): string[] {
  const notes: string[] = [];
  const missing = (what: string) => notes.push(`${what}: not yet enforced`);
  const { retry, fault, mirrors } = action;
  if (retry !== undefined && retry.numRetries > 0) missing(`retries (${retry.numRetries} on ${retry.on.join(', ')})`);
  if (fault?.delay !== undefined) missing(`delay of ${fault.delay.ms} ms`);
  if (fault?.abort !== undefined) missing(`abort with ${fault.abort.httpStatus ?? fault.abort.grpcStatus}`);
  for (const { cluster: mirror } of mirrors) missing(`mirror to ${mirror}`);
  if (cluster === undefined) return notes;
  if (cluster.http2) missing('HTTP/2 to its endpoints (calls are HTTP/1.1)');
  if (hasLimit(cluster.circuitBreakers[action.priority])) missing('connection pool limits');
  if (cluster.outlierDetection !== undefined) missing('outlier detection');
  return notes;
}

const hasLimit = ({ maxConnections, maxPendingRequests, maxRequests, maxRetries }: CircuitBreaker): boolean =>
  [maxConnections, maxPendingRequests, maxRequests, maxRetries].some((limit) => limit !== undefined);
