import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import { type RouteScope, resolveDestination } from './destination.ts';
import { retryRemarks } from './retry-policy.ts';

/** What is sent as Istio sends it, but acted on by no client of this version; printed by explain and `check`. */
export const notEnforced = (http: HttpRoute): readonly { readonly field: string; readonly note: string }[] => {
  // A browser's question is answered by whoever takes the request in; a client that sends it has nothing to allow.
  const note =
    'corsPolicy: not yet enforced, it is for the side that answers, and nothing here answers for a service yet';
  return http.corsPolicy === undefined ? [] : [{ field: 'corsPolicy', note }];
};

/** Beside one route: what is not enforced, retries that cannot help, and destinations whose calls answer 503. */
export const routeNotes = (scope: RouteScope, http: HttpRoute): readonly string[] => {
  const notes = notEnforced(http).map(({ note }) => note);
  const { defaultHttpRetryPolicy, retryAttempts } = scope.world.mesh();
  const retries = http.retries ?? defaultHttpRetryPolicy;
  if (retries !== undefined && http.route.length > 0) {
    const remarks = retryRemarks(retries, http.timeout, retryAttempts);
    notes.push(...remarks.map(({ field, message }) => `retries.${field}: ${message}`));
  }
  for (const { destination } of http.route) {
    const { cluster, missing } = resolveDestination(scope, destination);
    if (missing !== undefined) notes.push(`${cluster}: ${missing.message}; calls answer 503`);
  }
  return notes;
};
