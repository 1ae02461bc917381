import type { FaultPolicy } from './action.ts';
import type { IpPrefix } from './l4.ts';
import type { RouteConfiguration } from './route.ts';
import type { DownstreamTls } from './tls.ts';

/** How one port of this process takes connections: the server Listener (gRFC A36, and Istio's inbound listener). */
export interface InboundListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** The first that fits takes the connection; a connection that fits none is closed. */
  readonly chains: readonly InboundChain[];
  readonly limits: InboundLimits;
  /** `filter_metadata.istio.config`: the PeerAuthentication that decided. */
  readonly configPath?: string;
}

/** Envoy FilterChain of a server. */
export interface InboundChain {
  readonly name: string;
  /** Listener.default_filter_chain: only what fits no other. */
  readonly isDefault?: true;
  /** FilterChainMatch.transport_protocol, told by the first bytes; undefined: either. */
  readonly transport?: 'tls' | 'raw_buffer';
  /** FilterChainMatch.application_protocols: the client offers one of them; empty: any, or none. */
  readonly applicationProtocols: readonly string[];
  /** What else FilterChainMatch asks for. */
  readonly addresses?: AddressMatch;
  /** undefined: what comes is plain text, or is the application's own TLS. */
  readonly tls?: DownstreamTls;
  readonly clientCertificate: ForwardClientCertificate;
  /** HttpConnectionManager.common_http_protocol_options.idle_timeout. */
  readonly idleTimeoutMs?: number;
  readonly maxConcurrentStreams?: number;
  readonly maxRequestHeadersKb?: number;
  /** undefined: all of them are the application's. */
  readonly requests?: InboundRequests;
}

/** Where a connection comes from and goes to (FilterChainMatch); empty: anywhere. */
export interface AddressMatch {
  readonly destinations: readonly IpPrefix[];
  readonly sourceType: 'any' | 'same-ip-or-loopback' | 'external';
  readonly sources: readonly IpPrefix[];
  readonly sourcePorts: readonly number[];
}

/** What becomes of a chain's requests: the routes of its HttpConnectionManager (gRFC A36) and its faults (gRFC A33). */
export interface InboundRequests {
  readonly routes:
    | { readonly kind: 'inline'; readonly routeConfiguration: RouteConfiguration }
    | { readonly kind: 'rds'; readonly routeConfigurationName: string }
    /** They were asked for by RDS, and nothing usable came. */
    | { readonly kind: 'missing'; readonly reason: string };
  /** From the fault filter; routes may override it. */
  readonly fault?: FaultPolicy;
}

/** HttpConnectionManager.forward_client_cert_details, and which parts of the peer's certificate go into the header. */
export interface ForwardClientCertificate {
  readonly mode: 'SANITIZE' | 'FORWARD_ONLY' | 'APPEND_FORWARD' | 'SANITIZE_SET' | 'ALWAYS_FORWARD_ONLY';
  readonly parts: ReadonlySet<'subject' | 'cert' | 'chain' | 'dns' | 'uri'>;
}

/** Sidecar.inboundConnectionPool of the port; undefined: no limit. */
export interface InboundLimits {
  readonly maxConnections?: number;
  /** Requests under way at once, of HTTP/1.1 and 2 alike. */
  readonly maxRequests?: number;
  readonly maxRequestsPerConnection?: number;
  readonly idleTimeoutMs?: number;
  readonly maxConnectionDurationMs?: number;
}
