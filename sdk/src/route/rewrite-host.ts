import { requestHeaderValues } from '../match/headers.ts';
import { pathEnd } from '../match/query.ts';
import type { RegexSource } from '../match/string.ts';
import type { ForwardAction } from '../model/action.ts';
import { formatValue } from './format.ts';
import type { HostRewriter } from './table.ts';

/** Envoy RouteAction.host_rewrite_specifier; undefined where the host stays. */
export function compileHostRewrite(
  { hostRewrite, hostRewriteFrom: from }: ForwardAction,
  regexes: RegexSource,
): HostRewriter | undefined {
  if (hostRewrite !== undefined && hostRewrite !== '') return () => hostRewrite;
  switch (from?.kind) {
    case 'header':
      return ({ request, headers = request.headers }) => requestHeaderValues({ ...request, headers }, from.name)[0];
    case 'path-regex': {
      const regex = regexes(from.regex.pattern);
      if (typeof regex === 'string') return undefined;
      const { substitution } = from.regex;
      return ({ request: { path } }) => regex.replaceAll(path.slice(0, pathEnd(path)), substitution);
    }
    case 'format':
      // An absent value is a dash here, and nothing in headers and paths (asked of Envoy 1.40).
      return (context) => formatValue(from.format, { ...context, absent: '-' });
    default:
      return undefined;
  }
}
