import type { Random } from '../clock.ts';
import { findDomain, withoutPort } from '../match/domain.ts';
import { fractionMatches } from '../match/fraction.ts';
import { pathEnd } from '../match/query.ts';
import type { MeshRequest } from '../model/request.ts';
import { conditionsMatch, explainMismatch } from './match.ts';
import { type CompiledVirtualHost, type Decision, NO_ROUTE, NO_VIRTUAL_HOST, type RouteTable } from './table.ts';
import type { Trace } from './trace.ts';
import { deepest, nextCandidate, nextIn } from './trie.ts';

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
  const end = pathEnd(path);
  const sensitive = host.sensitive && deepest(host.sensitive, path, end, false);
  const insensitive = host.insensitive && deepest(host.insensitive, path, end, true);
  const none = host.routes.length;
  let draw = -1;
  for (let index = -1; ; ) {
    // The lowest candidate of the three sources: the order of the configuration decides, not the kind of match.
    let next = nextCandidate(sensitive, end, index, none);
    next = nextCandidate(insensitive, end, index, next);
    index = nextIn(host.others, index, next);
    const route = host.routes[index];
    if (route === undefined) return NO_ROUTE;
    if (!conditionsMatch(route.test, request, end)) continue;
    const { fraction } = route.test.match;
    if (fraction === undefined) return route.decision;
    if (draw < 0) draw = random();
    if (fractionMatches(fraction, draw)) return route.decision;
  }
}

function tracedMatch(host: CompiledVirtualHost, request: MeshRequest, random: Random, trace: Trace): Decision {
  trace.virtualHost = host.name;
  const end = pathEnd(request.path);
  let drawn: number | undefined;
  const draw = (): number => {
    drawn ??= random();
    return drawn;
  };
  for (const { test, decision, describe } of host.routes) {
    const failed = explainMismatch(test, request, end, draw);
    trace.considered.push({
      rule: describe(),
      matched: failed === undefined,
      ...(failed === undefined ? {} : { failed }),
    });
    if (failed === undefined) return decision;
  }
  return NO_ROUTE;
}
