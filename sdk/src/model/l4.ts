/** An address range: every address that begins with the first `length` bits of `bytes` (4 or 16 of them). */
export interface IpPrefix {
  readonly bytes: readonly number[];
  readonly length: number;
}

/** One destination of a connection; `cluster` is the cluster's name. */
export interface WeightedConnection {
  readonly cluster: string;
  readonly weight: number;
}

/** Envoy FilterChain around a TcpProxy: where a connection goes that fits its match. */
export interface ConnectionChain {
  /** Lower case, exact or `*.suffix`; empty: any name, or none. */
  readonly serverNames: readonly string[];
  /** Of the address that is dialled; empty: any. */
  readonly destinations: readonly IpPrefix[];
  /** undefined: any. */
  readonly port?: number;
  /** At least one; together they weigh more than nothing. */
  readonly clusters: readonly WeightedConnection[];
  /** Envoy TcpProxy.idle_timeout: no bytes in either direction for so long end the connection. 0 = never. */
  readonly idleTimeoutMs: number;
  /** Envoy TcpProxy.max_downstream_connection_duration. */
  readonly maxDurationMs?: number;
  /** Envoy TcpProxy.max_connect_attempts: how many hosts are tried, 1 at least. */
  readonly connectAttempts: number;
  /** Envoy TcpProxy.hash_policy: the cluster's ring is asked with the caller's own address. */
  readonly hashSourceIp: boolean;
  /** `filter_metadata.istio.config`: the resource this chain came from. */
  readonly configPath?: string;
}

/** Where connections to one `host:port` go that are not HTTP requests. */
export interface ConnectionTable {
  readonly chains: readonly ConnectionChain[];
  /** Envoy Listener.default_filter_chain: what fits no other. */
  readonly fallback?: ConnectionChain;
}
