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
  /** FilterChainMatch.transport_protocol, told by the first bytes; undefined: either. */
  readonly transport?: 'tls' | 'raw_buffer';
  /** FilterChainMatch.application_protocols: the client offers one of them; empty: any, or none. */
  readonly applicationProtocols: readonly string[];
  /** undefined: what comes is plain text, or is the application's own TLS. */
  readonly tls?: DownstreamTls;
  readonly clientCertificate: ForwardClientCertificate;
  /** HttpConnectionManager.common_http_protocol_options.idle_timeout. */
  readonly idleTimeoutMs?: number;
  readonly maxConcurrentStreams?: number;
  readonly maxRequestHeadersKb?: number;
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
