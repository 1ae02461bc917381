/** How discovery reaches a control plane: over the network (`wire/grpc-transport.ts`) or inside the same process. */

/** The two variants of the aggregated discovery service: DeltaAggregatedResources and StreamAggregatedResources. */
export type AdsMethod = 'delta' | 'sotw';

/** How a stream ended: a gRPC status. 12 (UNIMPLEMENTED) to `delta` makes discovery fall back to `sotw`. */
export interface AdsStatus {
  readonly code: number;
  readonly message: string;
}

export interface AdsListener {
  /** The server can be spoken to: from here on its silence means something. A transport without this call says so by its first message. */
  opened?(): void;
  /** One encoded DeltaDiscoveryResponse or DiscoveryResponse. Never called from inside `open` or `send`. */
  message(bytes: Uint8Array): void;
  /** Exactly once, last; not after the client's own `close()`. Never called from inside `open` or `send`. */
  close(status: AdsStatus): void;
}

export interface AdsStream {
  /** One encoded DeltaDiscoveryRequest or DiscoveryRequest; ignored once the stream has ended. */
  send(bytes: Uint8Array): void;
  /** Ends the stream from the client's side; what was sent before still arrives. Nothing is called afterwards. */
  close(): void;
  /** Keeps the process alive while someone waits for an answer. */
  ref(): void;
  /** The state a stream starts in: it alone does not keep the process alive. */
  unref(): void;
}

/** One unary gRPC call (`/package.Service/Method`) to the control plane. Rejects with what its status says. */
export type CallControlPlane = (path: string, request: Uint8Array) => Promise<Uint8Array>;

export interface AdsTransport {
  /** Where it leads, for humans and for what is remembered per server. */
  readonly server: string;
  /** Never throws: what cannot be opened closes with a status (14 UNAVAILABLE). */
  open(method: AdsMethod, on: AdsListener): AdsStream;
  /** The stream of load reports (envoy.service.load_stats.v3), in its own messages; absent: none are taken there. */
  readonly openLoads?: (on: AdsListener) => AdsStream;
  /** Where the control plane is in this process and knows who asks: its CA can be asked this way. */
  readonly call?: CallControlPlane;
}
