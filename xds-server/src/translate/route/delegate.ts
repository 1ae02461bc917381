import type { HttpMatch, HttpRoute } from '../../schema/spec/virtual-service.ts';
import { isVisible } from '../view.ts';
import type { VirtualService, World } from '../world.ts';
import { joinNames, mergeMatches } from './delegate-match.ts';

/** One HTTP route as a client gets it: written in the VirtualService itself, or in one it delegates to. */
interface RuleRoute {
  readonly http: HttpRoute;
  /** Where it is written; its short hosts belong to this rule's namespace. */
  readonly rule: VirtualService;
  readonly path: string;
  /** One a match; empty: the route takes everything. */
  readonly matches: readonly { readonly match: HttpMatch; readonly path: string }[];
}

/** Why a delegate, or one of its routes, is left out. */
interface LostRoute {
  /** In the root. */
  readonly path: string;
  readonly message: string;
}

export interface Delegation {
  readonly routes: readonly RuleRoute[];
  readonly lost: readonly LostRoute[];
}

/**
 * The routes of a rule with those of its delegates in their place: one level, a delegate's matches joined with the
 * root's, what it leaves open taken from the root (Istio mergeVirtualServicesIfNeeded). A delegate that is missing or not
 * exported to the root's namespace takes only its own route with it.
 */
export const delegated = (world: World, rule: VirtualService): Delegation => {
  const routes: RuleRoute[] = [];
  const lost: LostRoute[] = [];
  for (const [index, http] of rule.spec.http.entries()) {
    const path = `spec.http[${index}]`;
    if (http.delegate === undefined) {
      routes.push({ http, rule, path, matches: ownMatches(http, path) });
      continue;
    }
    const found = findDelegate(world, rule, http.delegate);
    if (typeof found === 'string') {
      lost.push({ path: `${path}.delegate`, message: `${found}; this route is left out` });
      continue;
    }
    const root = completed(world, rule, http);
    for (const [position, own] of found.spec.http.entries()) {
      const merged = mergeRoute(root, own, { rule: found, path: `spec.http[${position}]` });
      if (merged !== undefined) routes.push(merged);
      else lost.push({ path: `${path}.delegate`, message: conflict(found, position) });
    }
  }
  return { routes, lost };
};

const conflict = ({ namespace, name }: VirtualService, position: number): string =>
  `spec.http[${position}] of VirtualService ${namespace}/${name} is left out: it matches what this route does not`;

const ownMatches = (http: HttpRoute, path: string): RuleRoute['matches'] =>
  http.match.map((match, index) => ({ match, path: `${path}.match[${index}]` }));

const findDelegate = (
  world: World,
  root: VirtualService,
  delegate: NonNullable<HttpRoute['delegate']>,
): VirtualService | string => {
  const namespace = delegate.namespace || root.namespace;
  const found = world.virtualService(namespace, delegate.name);
  if (found === undefined) return `no VirtualService ${namespace}/${delegate.name}`;
  if (found.spec.hosts.length > 0) {
    return `VirtualService ${namespace}/${delegate.name} has hosts, so it is no delegate`;
  }
  const exportTo = found.spec.exportTo.length > 0 ? found.spec.exportTo : world.mesh().exportTo.virtualService;
  if (isVisible(exportTo, namespace, root.namespace)) return found;
  return `VirtualService ${namespace}/${delegate.name} is not exported to namespace ${root.namespace}`;
};

/** Short hosts of the root's mirrors belong to the root's namespace, wherever the delegate lives. */
const completed = (world: World, { namespace }: VirtualService, http: HttpRoute): HttpRoute => {
  const full = <D extends { readonly host: string }>(destination: D): D => ({
    ...destination,
    host: world.resolveHost(destination.host, namespace),
  });
  return {
    ...http,
    ...(http.mirror && { mirror: full(http.mirror) }),
    mirrors: http.mirrors.map((mirror) => ({ ...mirror, destination: full(mirror.destination) })),
  };
};

/** What a delegate may take from the root when it does not say it itself. */
const mergeRoute = (
  { delegate: _, match: rootMatch, name: rootName, ...root }: HttpRoute,
  own: HttpRoute,
  { rule, path }: Pick<RuleRoute, 'rule' | 'path'>,
): RuleRoute | undefined => {
  const merged = mergeMatches(rootMatch, own.match);
  if (merged === undefined) return undefined;
  const name = joinNames(rootName, own.name);
  const { route, redirect: _redirect, ...inherited } = root;
  const http: HttpRoute = {
    ...inherited,
    ...own,
    match: merged.map(({ match }) => match),
    mirrors: own.mirrors.length > 0 ? own.mirrors : root.mirrors,
    ...(name === undefined ? {} : { name }),
  };
  const matches = merged.map(({ match, own: index }) => ({
    match,
    path: index === undefined ? path : `${path}.match[${index}]`,
  }));
  return { http, rule, path, matches };
};
