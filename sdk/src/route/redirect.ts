import type { RedirectAction } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { rewritePath } from './rewrite.ts';
import type { RouteDecision } from './table.ts';

/** The `location` of a redirect (Envoy Http::Utility::newUri). */
export function redirectLocation(action: RedirectAction, decision: RouteDecision, request: MeshRequest): string {
  if (action.forTls) return `https://${request.authority}${request.path}`;
  const scheme = action.scheme === undefined || action.scheme === '' ? request.scheme : action.scheme;
  const port = action.port === undefined || action.port === 0 ? '' : `:${action.port}`;
  const host = action.host === undefined || action.host === '' ? hostToKeep(request, scheme, port) : action.host;
  return `${scheme}://${host}${port}${targetPath(action, decision, request)}`;
}

/**
 * The `location` beside a direct response: the request's own address, where the status speaks of one
 * (RFC 9110 §15.3.2 and §15.4, as Envoy's router has it).
 */
export function directLocation(status: number, { scheme, authority, path }: MeshRequest): string | undefined {
  return status === 201 || (status >= 300 && status < 400) ? `${scheme}://${authority}${path}` : undefined;
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
  const path = rooted(
    fixed === undefined || fixed === '' ? rewritePath(decision, request.path, { request }) : fixed + kept,
  );
  const end = stripQuery ? path.indexOf('?') : -1;
  return end < 0 ? path : path.slice(0, end);
}

const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
