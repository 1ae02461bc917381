import type { Action, FaultPolicy, StatefulSession } from './action.ts';
import type { HeaderMutation } from './headers.ts';
import type { ConnectionTable } from './l4.ts';
import type { HeaderMatch, RouteMatch } from './match.ts';

export interface Route {
  /** Envoy Route.name; empty where the control plane gave none. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: Action;
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  /** `filter_metadata.istio.config`: the resource this route came from. */
  readonly configPath?: string;
}

export interface VirtualHost {
  readonly name: string;
  /** Exact, `*suffix`, `prefix*` or `*`; lower case (Envoy VirtualHost.domains). */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  readonly virtualClusters?: readonly VirtualCluster[];
  /** Envoy VirtualHost.require_tls: whose plain requests are redirected to https. */
  readonly requireTls?: 'external' | 'all';
  /** Envoy VirtualHost.include_request_attempt_count and include_attempt_count_in_response: `x-envoy-attempt-count`. */
  readonly attemptCount?: { readonly inRequest: boolean; readonly inResponse: boolean };
}

/** Envoy VirtualCluster: a name for the requests that fit. */
export interface VirtualCluster {
  readonly name: string;
  readonly headers: readonly HeaderMatch[];
}

/** A RouteConfiguration as the wire gave it, decoded. `route/` compiles it into the table that `decide` reads. */
export interface RouteConfiguration {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  /** Envoy RouteConfiguration.most_specific_header_mutations_wins. */
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly ignorePortInHostMatching: boolean;
  /** Envoy RouteConfiguration.ignore_path_parameters_in_path_matching: `;…` is not compared. */
  readonly ignorePathParameters?: boolean;
  /** Envoy RouteConfiguration.vhost_header: chooses the virtual host instead of the authority. */
  readonly vhostHeader?: string;
}

/** What LDS gives a client: where its routes are and what its connection manager asks for. */
export interface Listener {
  readonly name: string;
  readonly routes:
    | { readonly kind: 'rds'; readonly routeConfigurationName: string }
    | { readonly kind: 'inline'; readonly routeConfiguration: RouteConfiguration };
  readonly maxStreamDurationMs?: number;
  readonly idleTimeoutMs?: number;
  /** From the fault filter, where the listener has one; routes may override it. */
  readonly fault?: FaultPolicy;
  /** From the stateful session filter, likewise. */
  readonly statefulSession?: StatefulSession;
  /** Where connections go that are not HTTP requests; undefined: HTTP is all that is spoken there. */
  readonly connections?: ConnectionTable;
}
