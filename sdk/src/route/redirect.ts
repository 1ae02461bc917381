import type { RedirectAction } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { rewritePath } from './rewrite.ts';
import type { RouteDecision } from './table.ts';

/** The `location` of a redirect (Envoy Http::Utility::newUri). */
export function redirectLocation(action: RedirectAction, decision: RouteDecision, request: MeshRequest): string {
  const scheme = action.scheme === undefined || action.scheme === '' ? request.scheme : action.scheme;
  const port = action.port === undefined || action.port === 0 ? '' : `:${action.port}`;
  const host = action.host === undefined || action.host === '' ? hostToKeep(request, scheme, port) : action.host;
  return `${scheme}://${host}${port}${targetPath(action, decision, request)}`;
}

/**
 * The request's host. Its port goes when the redirect names one, and when it was the old scheme's default and the
 * scheme changes.
 */
function hostToKeep(request: MeshRequest, scheme: string, port: string): string {
  const { authority } = request;
  const colon = authority.startsWith('[') ? authority.lastIndexOf(']:') + 1 : authority.lastIndexOf(':');
  if (colon <= 0) return authority;
  const usual = request.scheme === 'https' ? ':443' : ':80';
  const drop = port !== '' || (scheme !== request.scheme && authority.slice(colon) === usual);
  return drop ? authority.slice(0, colon) : authority;
}

/** A query string in `path_redirect` replaces the request's and is never stripped. */
function targetPath(action: RedirectAction, decision: RouteDecision, request: MeshRequest): string {
  const { path: fixed, stripQuery } = action;
  if (fixed?.includes('?')) return rooted(fixed);
  const query = request.path.indexOf('?');
  const kept = query < 0 ? '' : request.path.slice(query);
  const path = rooted(fixed === undefined || fixed === '' ? rewritePath(decision, request.path) : fixed + kept);
  const end = stripQuery ? path.indexOf('?') : -1;
  return end < 0 ? path : path.slice(0, end);
}

const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
