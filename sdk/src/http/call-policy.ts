import type { PolicyOptions } from '../call/policy-options.ts';
import type { CallStory } from '../model/events.ts';

/** What one call asks of the mesh: the `mesh` member of its init. */
export interface CallPolicy extends PolicyOptions {
  /**
   * `resolve` (the default): an answer the mesh makes itself is a Response, as it would be behind a sidecar.
   * `throw`: it rejects with a MeshError.
   */
  readonly localReply?: 'resolve' | 'throw';
  /**
   * For the whole call, waiting for configuration included; 504 when it is over. A route's own timeout still holds, and so
   * does the time that the caller of the inbound request gives it (see `propagate`).
   */
  readonly timeoutMs?: number;
}

/** fetch's second argument with the mesh's own. */
export interface MeshRequestInit extends RequestInit {
  readonly mesh?: CallPolicy;
}

/** The platform's Response; `mesh` is there when the call went through the mesh. */
export interface MeshResponse extends Response {
  /** Route, cluster, endpoint, attempts and timings of the call; complete once the body has ended. */
  readonly mesh?: CallStory;
}
