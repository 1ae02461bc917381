import { asciiLower, matchesAt } from '../match/ascii.ts';
import { pathEnd } from '../match/query.ts';
import type { RegexSource } from '../match/string.ts';
import { parseTemplate, parseTemplateRewrite } from '../match/template.ts';
import type { PathRewrite, RegexRewrite } from '../model/action.ts';
import type { PathMatch } from '../model/match.ts';
import type { Route } from '../model/route.ts';
import { formatValue } from './format.ts';
import type { PathRewriter } from './table.ts';

/**
 * The rewrite of a route's action, forward or redirect, or undefined. Query strings are kept: only the path proper is
 * looked at and replaced.
 */
export function compileRewrite({ action, match }: Route, regexes: RegexSource): PathRewriter | undefined {
  if (action.kind === 'forward') return rewriterOf(action.pathRewrite ?? {}, match.path, regexes);
  if (action.kind !== 'redirect') return undefined;
  const { prefix, regex, format } = action;
  return rewriterOf(
    {
      ...(prefix === undefined ? {} : { prefix }),
      ...(regex === undefined ? {} : { regex }),
      ...(format === undefined ? {} : { format }),
    },
    match.path,
    regexes,
  );
}

function rewriterOf(
  { prefix, regex, template, format }: PathRewrite,
  matched: PathMatch,
  regexes: RegexSource,
): PathRewriter | undefined {
  if (prefix !== undefined && prefix !== '') return prefixRewriter(prefix, matched);
  if (regex !== undefined) return regexRewriter(regex, regexes);
  if (format !== undefined && format !== '') return formatRewriter(format);
  return template === undefined ? undefined : templateRewriter(template, matched, regexes);
}

/**
 * Envoy RouteAction.prefix_rewrite replaces what was matched: the prefix, or the whole path where the match is exact or
 * by expression. `/api` rewritten to `/` makes `//x` of `/api/x`, as in Envoy. A path that matched only without its
 * parameters, and does not begin with the prefix as it is, stays.
 */
function prefixRewriter(prefix: string, matched: PathMatch): PathRewriter {
  if (!('caseSensitive' in matched)) return (path) => prefix + path.slice(pathEnd(path));
  const { value, caseSensitive } = matched;
  const lower = asciiLower(value);
  return (path) => {
    const begins = caseSensitive ? path.startsWith(value) : matchesAt(path, lower, 0);
    return begins ? prefix + path.slice(value.length) : path;
  };
}

/** Envoy RouteAction.regex_rewrite: every match within the path. */
function regexRewriter({ pattern, substitution }: RegexRewrite, regexes: RegexSource): PathRewriter | undefined {
  const regex = regexes(pattern);
  if (typeof regex === 'string') return undefined;
  return (path) => onPath(path, (text) => regex.replaceAll(text, substitution));
}

function templateRewriter(rewrite: string, matched: PathMatch, regexes: RegexSource): PathRewriter | undefined {
  const template = matched.kind === 'template' ? parseTemplate(matched.value) : 'not a template';
  if (typeof template === 'string') return undefined;
  const parsed = parseTemplateRewrite(rewrite, template);
  const regex = regexes(`^${template.pattern}$`);
  if (typeof parsed === 'string' || typeof regex === 'string') return undefined;
  return (path) => onPath(path, (text) => regex.replaceAll(text, parsed.substitution));
}

/** Envoy RouteAction.path_rewrite makes the path without its query; one that comes out empty changes nothing. */
const formatRewriter =
  (format: string): PathRewriter =>
  (path, context) =>
    onPath(path, (text) => formatValue(format, context) || text);

function onPath(path: string, rewrite: (path: string) => string): string {
  const end = pathEnd(path);
  return rewrite(path.slice(0, end)) + path.slice(end);
}
