import type { Action } from './action.ts';
import type { HeaderMutation } from './headers.ts';
import type { RouteMatch } from './match.ts';

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
  readonly fault?: import('./action.ts').FaultPolicy;
}
