import type { HttpRoute } from '../../schema/spec/virtual-service.ts';
import { type RouteScope, resolveDestination } from './destination.ts';

/** What is sent as Istio sends it, but acted on by no client of this version; printed by explain and `check`. */
export const notYetEnforced = (http: HttpRoute): readonly { readonly field: string; readonly note: string }[] => {
  const fields: readonly (readonly [string, boolean])[] = [
    ['retries', http.retries !== undefined],
    ['fault', http.fault !== undefined],
    ['mirror', http.mirror !== undefined],
    ['mirrors', http.mirrors.length > 0],
    ['corsPolicy', http.corsPolicy !== undefined],
  ];
  return fields.filter(([, set]) => set).map(([field]) => ({ field, note: `${field}: not yet enforced` }));
};

/** Beside one route: what is not enforced, and destinations that answer 503 because their cluster does not exist. */
export const routeNotes = (scope: RouteScope, http: HttpRoute): readonly string[] => {
  const notes = notYetEnforced(http).map(({ note }) => note);
  if (http.route.length > 0 && http.retries === undefined) notes.unshift('retries (Istio default): not yet enforced');
  for (const { destination } of http.route) {
    const { cluster, missing } = resolveDestination(scope, destination);
    if (missing !== undefined) notes.push(`${cluster}: ${missing.message}; calls answer 503`);
  }
  return notes;
};
