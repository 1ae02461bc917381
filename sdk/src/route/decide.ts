import type { Random } from '../clock.ts';
import { findDomain, withoutPort } from '../match/domain.ts';
import { fractionMatches } from '../match/fraction.ts';
import { headerValue, requestHeaderValues } from '../match/headers.ts';
import { pathEnd } from '../match/query.ts';
import type { MeshRequest } from '../model/request.ts';
import { conditionsMatch, explainMismatch, pathMatches } from './match.ts';
import { type CompiledVirtualHost, type Decision, NO_ROUTE, NO_VIRTUAL_HOST, type RouteTable } from './table.ts';
import { describeRule, type Trace } from './trace.ts';
import { deepest, deepestIgnoringCase, nextCandidate, nextIn } from './trie.ts';

/**
 * Virtual host by domain, then the first route whose every condition holds (Envoy RouteMatch). Returns a value made when
 * the table was compiled and allocates nothing. `random` is drawn at most once, and only where a fraction asks for it.
 * With a trace, every rule up to the match is considered and told.
 */
export function decide(table: RouteTable, request: MeshRequest, random: Random, trace?: Trace): Decision {
  const host = hostOf(table, request);
  if (host === undefined) return NO_VIRTUAL_HOST;
  if (trace !== undefined) trace.virtualHost = host.name;
  if (host.forTls !== undefined && wantsTls(host.forTls.of, request)) return host.forTls.decision;
  const path = table.ignorePathParameters ? withoutParameters(request.path) : request.path;
  return trace === undefined
    ? firstMatch(host, request, path, random)
    : tracedMatch(host, { request, path, random, trace });
}

function hostOf(
  { vhostHeader, domains, ignorePort }: RouteTable,
  request: MeshRequest,
): CompiledVirtualHost | undefined {
  let name = request.authority;
  if (vhostHeader !== undefined) {
    const value = requestHeaderValues(request, vhostHeader)[0];
    if (value === undefined) return undefined;
    name = value;
  }
  return findDomain(domains, ignorePort ? withoutPort(name) : name);
}

/** Envoy VirtualHostImpl::getRouteFromEntries: by the scheme the caller used, as `x-forwarded-proto` tells it. */
function wantsTls(of: 'external' | 'all', request: MeshRequest): boolean {
  if ((headerValue(request.headers, 'x-forwarded-proto') ?? request.scheme) === 'https') return false;
  return of === 'all' || headerValue(request.headers, 'x-envoy-internal') !== 'true';
}

/** Of each segment, what begins with a semicolon is not compared (asked of Envoy 1.40). */
function withoutParameters(path: string): string {
  if (!path.includes(';')) return path;
  const end = pathEnd(path);
  return path.slice(0, end).replace(/;[^/]*/g, '') + path.slice(end);
}

function firstMatch(host: CompiledVirtualHost, request: MeshRequest, path: string, random: Random): Decision {
  const sensitive = host.sensitive && deepest(host.sensitive, path);
  const insensitive = host.insensitive && deepestIgnoringCase(host.insensitive, path);
  const none = host.routes.length;
  let draw = -1;
  for (let index = -1; ; ) {
    // The lowest candidate of the three sources: the order of the configuration decides, not the kind of match.
    let next = nextCandidate(sensitive, path, index, none);
    next = nextCandidate(insensitive, path, index, next);
    index = nextIn(host.others, index, next);
    const route = host.routes[index];
    if (route === undefined) return NO_ROUTE;
    if (route.onlyPath) return route.decision;
    if (!route.settledByIndex && !pathMatches(route.test, request, path)) continue;
    if (!conditionsMatch(route.test, request)) continue;
    const { fraction } = route.test.match;
    if (fraction === undefined) return route.decision;
    if (draw < 0) draw = random();
    if (fractionMatches(fraction, draw, request.runtime)) return route.decision;
  }
}

interface Traced {
  readonly request: MeshRequest;
  /** What path rules compare. */
  readonly path: string;
  readonly random: Random;
  readonly trace: Trace;
}

function tracedMatch(host: CompiledVirtualHost, { request, path, random, trace }: Traced): Decision {
  let drawn: number | undefined;
  const draw = (): number => {
    drawn ??= random();
    return drawn;
  };
  for (const { test, decision } of host.routes) {
    const failed = explainMismatch(test, request, draw, path);
    trace.considered.push({
      rule: describeRule(decision, test.match),
      matched: failed === undefined,
      ...(failed === undefined ? {} : { failed }),
    });
    if (failed === undefined) return decision;
  }
  return NO_ROUTE;
}
