/** What a RouteConfiguration compiles to: the one value `decide` reads. */

import type { DomainIndex } from '../match/domain.ts';
import type { HeaderTest } from '../match/header-match.ts';
import type { Regex } from '../match/regex.ts';
import type { ForwardAction, HashPolicy, RedirectAction, RefuseAction, RespondAction } from '../model/action.ts';
import type { HeaderMutation } from '../model/headers.ts';
import type { VirtualHost } from '../model/route.ts';
import type { FormatContext } from './format.ts';
import type { RouteTest } from './match.ts';
import type { TrieNode } from './trie.ts';

/** A header policy carries its compiled rewrite; undefined where it has none. */
export type CompiledHashPolicy =
  | (HashPolicy & {
      readonly kind: 'header';
      readonly rewrite: { readonly regex: Regex; readonly substitution: string } | undefined;
    })
  | Exclude<HashPolicy, { readonly kind: 'header' }>;

/** How a path changes on its way to the upstream, or to a redirect's target; the context is what formats are made from. */
export type PathRewriter = (path: string, context: FormatContext) => string;

/** The host a request is sent with instead; undefined or empty: its own. */
export type HostRewriter = (context: FormatContext) => string | undefined;

export interface CompiledVirtualCluster {
  readonly name: string;
  readonly headers: readonly HeaderTest[];
}

export interface CompiledForward extends ForwardAction {
  readonly hashPolicies: readonly CompiledHashPolicy[];
  readonly totalWeight: number;
  /** `hostRewrite` or `hostRewriteFrom`, where there is one. */
  readonly rewriteHost: HostRewriter | undefined;
}

export type CompiledAction = CompiledForward | RedirectAction | RespondAction | RefuseAction;

/** One object per route, made once. */
export interface RouteDecision {
  readonly kind: 'route';
  readonly virtualHost: string;
  readonly routeName: string;
  /** Position within the virtual host. */
  readonly routeIndex: number;
  readonly action: CompiledAction;
  /** In the order to apply: Envoy evaluates the most specific level first unless most_specific_header_mutations_wins. */
  readonly requestHeaders: readonly HeaderMutation[];
  readonly responseHeaders: readonly HeaderMutation[];
  readonly configPath?: string;
  /** The action's path rewrite, if it has one. */
  readonly rewritePath: PathRewriter | undefined;
  /** The virtual host's; undefined where it has none. */
  readonly virtualClusters: readonly CompiledVirtualCluster[] | undefined;
  /** The virtual host's. */
  readonly attemptCount: VirtualHost['attemptCount'];
}

export interface NoDecision {
  readonly kind: 'none';
  readonly reason: string;
}

export type Decision = RouteDecision | NoDecision;

/** Both answer 404 NR. */
export const NO_VIRTUAL_HOST: NoDecision = { kind: 'none', reason: 'no virtual host has this domain' };
export const NO_ROUTE: NoDecision = { kind: 'none', reason: 'no route of the virtual host matches' };

export interface CompiledRoute {
  readonly test: RouteTest;
  /** The trie's offer proves the path; a prefix that must end a segment, a regex and a template are still to be asked. */
  readonly settledByIndex: boolean;
  /** Nothing is left to ask once the index offers it: most routes, so most decisions touch no more than this. */
  readonly onlyPath: boolean;
  readonly decision: RouteDecision;
}

export interface CompiledVirtualHost {
  readonly name: string;
  /** The answer to requests that had to come by TLS, and to whom that applies. */
  readonly forTls: { readonly of: 'external' | 'all'; readonly decision: RouteDecision } | undefined;
  readonly routes: readonly CompiledRoute[];
  /** Exact and prefix paths; a second trie for those that ignore case. */
  readonly sensitive: TrieNode | undefined;
  readonly insensitive: TrieNode | undefined;
  /** Routes by regex or template, in order. */
  readonly others: readonly number[];
}

export interface RouteTable {
  readonly name: string;
  readonly domains: DomainIndex<CompiledVirtualHost>;
  readonly ignorePort: boolean;
  readonly ignorePathParameters: boolean;
  /** Lower case; chooses the virtual host instead of the authority. */
  readonly vhostHeader: string | undefined;
}
