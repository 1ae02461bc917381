/**
 * The channel of `@grpc/grpc-js` as this package implements and uses it. Its own types are not imported: they are of an optional
 * peer, and whoever does not have it must be able to compile. test/packaging compiles both together.
 */

/** What a client of grpc-js takes as its options. */
export interface GrpcOptions {
  readonly channelFactoryOverride: (
    address: string,
    credentials: GrpcChannelCredentials,
    options: object,
  ) => GrpcChannel;
}

/** grpc-js's `ChannelInterface`. */
export interface GrpcChannel {
  close(): void;
  getTarget(): string;
  /**
   * `READY`: the configuration of the target is there, and one of its clusters has an endpoint that can be used. Connections
   * are made by calls, so that `CONNECTING` is the wait for configuration.
   */
  getConnectivityState(tryToConnect: boolean): number;
  watchConnectivityState(currentState: number, deadline: Date | number, callback: (error?: Error) => void): void;
  /** Under this id the channelz of `addAdminServices` has it; -1 with `grpc.enable_channelz: 0`, as grpc-js has it. */
  getChannelzRef(): GrpcChannelzRef;
  createCall(
    method: string,
    deadline: Date | number,
    host: string | null | undefined,
    parentCall: GrpcParentCall | null,
    propagateFlags: number | null | undefined,
  ): GrpcCall;
}

export interface GrpcChannelzRef {
  /** An enum's member, which only grpc-js has. */
  readonly kind: never;
  readonly id: number;
  readonly name: string;
}

/** grpc-js's `Call`. */
export interface GrpcCall {
  cancelWithStatus(status: number, details: string): void;
  /** `address:port` of the server, once one has answered; the target until then. */
  getPeer(): string;
  start(metadata: GrpcMetadata, listener: GrpcListener): void;
  sendMessageWithContext(context: GrpcMessageContext, message: Buffer): void;
  startRead(): void;
  halfClose(): void;
  getCallNumber(): number;
  setCredentials(credentials: GrpcCallCredentials): void;
  getAuthContext(): GrpcAuthContext | null;
}

/** Who has answered, by mutual TLS; empty in clear. */
export interface GrpcAuthContext {
  readonly transportSecurityType?: string;
  /** SPIFFE ID of the server. */
  readonly spiffeId?: string;
}

export interface GrpcMessageContext {
  readonly callback?: (error?: Error | null) => void;
  readonly flags?: number;
}

export interface GrpcStatusObject {
  readonly code: number;
  readonly details: string;
  readonly metadata: GrpcMetadata;
}

export interface GrpcListener {
  onReceiveMetadata(metadata: GrpcMetadata): void;
  onReceiveMessage(message: Buffer): void;
  onReceiveStatus(status: GrpcStatusObject): void;
}

export interface GrpcMetadata {
  toHttp2Headers(): object;
  merge(other: GrpcMetadata): void;
  clone(): GrpcMetadata;
  getOptions(): { readonly waitForReady?: boolean };
}

export interface GrpcCallCredentials {
  generateMetadata(options: { method_name: string; service_url: string }): Promise<GrpcMetadata>;
  compose(other: GrpcCallCredentials): GrpcCallCredentials;
}

export interface GrpcChannelCredentials {
  _isSecure(): boolean;
}

/** The call of a server, on whose behalf another is made. */
export interface GrpcParentCall {
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
  off?(event: 'cancelled', listener: () => void): unknown;
}

/** The class of a generated client. */
export type GrpcClientClass<C> = new (address: string, credentials: never, options: never) => C;
