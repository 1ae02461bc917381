import type { RetryRefusal } from '../model/events.ts';
import { isRepeatable } from './retry/repeatable.ts';
import type { TriesParts } from './tries-owner.ts';

type Request = Pick<TriesParts, 'source' | 'request' | 'terms' | 'options'>;

/** Some of the body is gone. */
export const bodyObstacle = ({ source }: Pick<Request, 'source'>): RetryRefusal | undefined =>
  source?.isReplayable === false ? 'body' : undefined;

/** Why the request cannot be sent once more; `hasLeft`: a peer may have acted on it. */
export const obstacleTo = (parts: Request, hasLeft: boolean): RetryRefusal | undefined =>
  hasLeft && !isRepeatable(parts.request, parts.terms.idempotent) ? 'method' : bodyObstacle(parts);

/** Why it cannot be sent beside itself. */
export function hedgeObstacle({ source, request, terms }: Request): RetryRefusal | undefined {
  if (source?.isWhole === false) return 'body';
  return isRepeatable(request, terms.idempotent) ? undefined : 'method';
}

/** Whether it may be repeated although it was written to a connection that turned out to be closed. */
export const isReplayable = (parts: Request): boolean =>
  // gRFC A6: of a call that a server may have seen, only the retry policy says that it is repeated.
  !parts.options.isGrpc && obstacleTo(parts, true) === undefined;
