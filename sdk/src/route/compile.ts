import { asciiLower } from '../match/ascii.ts';
import { indexDomainsSteps } from '../match/domain.ts';
import { compileHeader } from '../match/header-match.ts';
import { cachedRegexes, type RegexSource } from '../match/string.ts';
import { utf8Bytes } from '../match/utf8.ts';
import type { Action, ForwardAction, HashPolicy } from '../model/action.ts';
import type { HeaderMutation } from '../model/headers.ts';
import type { PathMatch, RouteMatch } from '../model/match.ts';
import type { Route, RouteConfiguration, VirtualHost } from '../model/route.ts';
import { compileMatch } from './match.ts';
import { compileHostRewrite } from './rewrite-host.ts';
import { compileRewrite } from './rewrite-path.ts';
import type {
  CompiledAction,
  CompiledHashPolicy,
  CompiledRoute,
  CompiledVirtualCluster,
  CompiledVirtualHost,
  RouteDecision,
  RouteTable,
} from './table.ts';
import { addRoute, createTrie, isIndexable, linkTrie, nodeAt, type TrieNode } from './trie.ts';

/**
 * Compiles a validated configuration. Never throws: an expression that does not compile after all makes its route
 * one that never matches.
 */
export function compileRouteTable(config: RouteConfiguration): RouteTable {
  const steps = compileRouteTableSteps(config);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Routes between two places where the event loop may have its turn; an expression to compile takes up to 0.1 ms. */
const ROUTES_A_STEP = 16;

/** The same in slices. */
export function* compileRouteTableSteps(config: RouteConfiguration): Generator<undefined, RouteTable> {
  const regexes = cachedRegexes();
  const entries: { readonly domains: readonly string[]; readonly value: CompiledVirtualHost }[] = [];
  for (const host of config.virtualHosts) {
    entries.push({ domains: host.domains, value: yield* compileHost(host, config, regexes) });
    yield;
  }
  return {
    name: config.name,
    ignorePort: config.ignorePortInHostMatching,
    ignorePathParameters: config.ignorePathParameters ?? false,
    vhostHeader: config.vhostHeader === undefined ? undefined : asciiLower(config.vhostHeader),
    domains: yield* indexDomainsSteps(entries),
  };
}

function* compileHost(
  host: VirtualHost,
  config: RouteConfiguration,
  regexes: RegexSource,
): Generator<undefined, CompiledVirtualHost> {
  const virtualClusters = compileVirtualClusters(host, regexes);
  const context = { host, config, regexes, virtualClusters };
  const routes: CompiledRoute[] = [];
  for (const [index, route] of host.routes.entries()) {
    routes.push(compileRoute(route, index, context));
    if (index % ROUTES_A_STEP === ROUTES_A_STEP - 1) yield;
  }
  const forTls = host.requireTls && { of: host.requireTls, decision: tlsRedirect(host, virtualClusters) };
  return { name: host.name, forTls, routes, ...(yield* indexPaths(host.routes)) };
}

const compileVirtualClusters = (
  { virtualClusters = [] }: VirtualHost,
  regexes: RegexSource,
): readonly CompiledVirtualCluster[] | undefined =>
  virtualClusters.length === 0
    ? undefined
    : virtualClusters.map(({ name, headers }) => ({
        name,
        headers: headers.map((header) => compileHeader(header, regexes)),
      }));

/** Envoy SslRedirectRoute: no route of the virtual host, and none of its headers. */
const tlsRedirect = (
  { name }: VirtualHost,
  virtualClusters: readonly CompiledVirtualCluster[] | undefined,
): RouteDecision => ({
  kind: 'route',
  virtualHost: name,
  routeName: '',
  routeIndex: -1,
  action: { kind: 'redirect', code: 301, scheme: 'https', stripQuery: false, forTls: true },
  requestHeaders: [],
  responseHeaders: [],
  rewritePath: undefined,
  virtualClusters,
  attemptCount: undefined,
});

interface Context {
  readonly host: VirtualHost;
  readonly config: RouteConfiguration;
  readonly regexes: RegexSource;
  readonly virtualClusters: readonly CompiledVirtualCluster[] | undefined;
}

function compileRoute(
  route: Route,
  routeIndex: number,
  { host, config, regexes, virtualClusters }: Context,
): CompiledRoute {
  const mostWins = config.mostSpecificHeaderMutationsWins;
  const { match } = route;
  const settledByIndex = match.path.kind !== 'path-separated-prefix' && isIndexed(match.path);
  return {
    test: compileMatch(match, settledByIndex, regexes),
    settledByIndex,
    onlyPath: settledByIndex && asksOnlyForPath(match),
    decision: {
      kind: 'route',
      virtualHost: host.name,
      routeName: route.name,
      routeIndex,
      action: compileAction(route.action, regexes),
      requestHeaders: mutationsInOrder(route.requestHeaders, host.requestHeaders, config.requestHeaders, mostWins),
      responseHeaders: mutationsInOrder(route.responseHeaders, host.responseHeaders, config.responseHeaders, mostWins),
      ...(route.configPath === undefined ? {} : { configPath: route.configPath }),
      rewritePath: compileRewrite(route, regexes),
      virtualClusters,
      attemptCount: host.attemptCount,
    },
  };
}

const asksOnlyForPath = ({ headers, queryParameters, fraction, grpc, cookies, metadata, never }: RouteMatch): boolean =>
  headers.length + queryParameters.length + (cookies?.length ?? 0) + (metadata?.length ?? 0) === 0 &&
  fraction === undefined &&
  never === undefined &&
  !grpc;

/**
 * Envoy RouteConfiguration.most_specific_header_mutations_wins: the level evaluated last wins, which is the route's when
 * set, the whole configuration's when not. Levels without a mutation are left out.
 */
function mutationsInOrder(
  route: HeaderMutation,
  host: HeaderMutation,
  config: HeaderMutation,
  mostSpecificWins: boolean,
): readonly HeaderMutation[] {
  if (isEmpty(route) && isEmpty(host) && isEmpty(config)) return NO_MUTATIONS;
  const used = [route, host, config].filter((level) => !isEmpty(level)).map(onWire);
  return mostSpecificWins ? used.reverse() : used;
}

const NO_MUTATIONS: readonly HeaderMutation[] = [];

const isEmpty = ({ set, remove }: HeaderMutation): boolean => set.length === 0 && remove.length === 0;

/** Header names compare in lower case; values go out as UTF-8 bytes. */
const onWire = ({ set, remove }: HeaderMutation): HeaderMutation => ({
  set: set.map((header) => ({ ...header, name: asciiLower(header.name), value: utf8Bytes(header.value) })),
  remove: remove.map(asciiLower),
});

function compileAction(action: Action, regexes: RegexSource): CompiledAction {
  return action.kind === 'forward' ? compileForward(action, regexes) : action;
}

const NO_POLICIES: readonly CompiledHashPolicy[] = [];

const compileForward = (action: ForwardAction, regexes: RegexSource): CompiledAction => ({
  ...action,
  clusters: action.clusters.every(
    ({ requestHeaders, responseHeaders }) => isEmpty(requestHeaders) && isEmpty(responseHeaders),
  )
    ? action.clusters
    : action.clusters.map((cluster) => ({
        ...cluster,
        requestHeaders: onWire(cluster.requestHeaders),
        responseHeaders: onWire(cluster.responseHeaders),
      })),
  totalWeight: action.clusters.reduce((sum, { weight }) => sum + weight, 0),
  hashPolicies:
    action.hashPolicies.length === 0
      ? NO_POLICIES
      : action.hashPolicies.map((policy) => compileHashPolicy(policy, regexes)),
  rewriteHost: compileHostRewrite(action, regexes),
});

function compileHashPolicy(policy: HashPolicy, regexes: RegexSource): CompiledHashPolicy {
  if (policy.kind !== 'header') return policy;
  const regex = policy.regexRewrite && regexes(policy.regexRewrite.pattern);
  const usable = policy.regexRewrite !== undefined && regex !== undefined && typeof regex !== 'string';
  return {
    ...policy,
    name: asciiLower(policy.name),
    rewrite: usable && policy.regexRewrite ? { regex, substitution: policy.regexRewrite.substitution } : undefined,
  };
}

type PathIndex = Pick<CompiledVirtualHost, 'sensitive' | 'insensitive' | 'others'>;

function* indexPaths(routes: readonly Route[]): Generator<undefined, PathIndex> {
  const sensitive = createTrie();
  const insensitive = createTrie();
  const others: number[] = [];
  const used = { sensitive: false, insensitive: false };
  for (const [
    index,
    {
      match: { path },
    },
  ] of routes.entries()) {
    if (isIndexed(path)) {
      used[path.caseSensitive ? 'sensitive' : 'insensitive'] = true;
      insert(path.caseSensitive ? sensitive : insensitive, path, index);
    } else others.push(index);
    if (index % ROUTES_A_STEP === ROUTES_A_STEP - 1) yield;
  }
  yield* linkTrie(sensitive);
  yield* linkTrie(insensitive);
  return {
    sensitive: used.sensitive ? sensitive : undefined,
    insensitive: used.insensitive ? insensitive : undefined,
    others,
  };
}

type PlainPath = Extract<PathMatch, { readonly caseSensitive: boolean }>;

const isIndexed = (path: PathMatch): path is PlainPath => 'caseSensitive' in path && isIndexable(path.value);

function insert(root: TrieNode, path: PlainPath, index: number): void {
  const node = nodeAt(root, path.caseSensitive ? path.value : asciiLower(path.value));
  addRoute(node, path.kind === 'exact' ? 'exact' : 'prefixed', index);
}
