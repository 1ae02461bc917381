import type { Random } from '../clock.ts';
import { findDomain, withoutPort } from '../match/domain.ts';
import { fractionMatches } from '../match/fraction.ts';
import type { MeshRequest } from '../model/request.ts';
import { conditionsMatch, explainMismatch } from './match.ts';
import { type CompiledVirtualHost, type Decision, NO_ROUTE, NO_VIRTUAL_HOST, type RouteTable } from './table.ts';
import type { Trace } from './trace.ts';
import { deepest, deepestIgnoringCase, nextCandidate, nextIn } from './trie.ts';

/**
 * Virtual host by domain, then the first route whose every condition holds (Envoy RouteMatch). Returns a value made when
 * the table was compiled and allocates nothing. `random` is drawn at most once, and only where a fraction asks for it.
 * With a trace, every rule up to the match is considered and told.
 */
export function decide(table: RouteTable, request: MeshRequest, random: Random, trace?: Trace): Decision {
  const authority = table.ignorePort ? withoutPort(request.authority) : request.authority;
  const host = findDomain(table.domains, authority);
  if (host === undefined) return NO_VIRTUAL_HOST;
  return trace === undefined ? firstMatch(host, request, random) : tracedMatch(host, request, random, trace);
}

function firstMatch(host: CompiledVirtualHost, request: MeshRequest, random: Random): Decision {
  const { path } = request;
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
    if (!route.settledByIndex && !route.test.path(path)) continue;
    if (!conditionsMatch(route.test, request)) continue;
    const { fraction } = route.test.match;
    if (fraction === undefined) return route.decision;
    if (draw < 0) draw = random();
    if (fractionMatches(fraction, draw)) return route.decision;
  }
}

function tracedMatch(host: CompiledVirtualHost, request: MeshRequest, random: Random, trace: Trace): Decision {
  trace.virtualHost = host.name;
  let drawn: number | undefined;
  const draw = (): number => {
    drawn ??= random();
    return drawn;
  };
  for (const { test, decision, describe } of host.routes) {
    const failed = explainMismatch(test, request, draw);
    trace.considered.push({
      rule: describe(),
      matched: failed === undefined,
      ...(failed === undefined ? {} : { failed }),
    });
    if (failed === undefined) return decision;
  }
  return NO_ROUTE;
}
