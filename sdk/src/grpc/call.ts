import type { GrpcEnd } from '../call/grpc-code.ts';
import { awaitedTimer, type Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { startExchange } from '../http/exchange.ts';
import type { Exchange, ExchangeHandler } from '../http/outgoing.ts';
import { headerValue } from '../match/headers.ts';
import { GRPC } from '../wire/grpc-status.ts';
import { isAlgorithm } from './algorithms.ts';
import type { CallParts } from './call-parts.ts';
import { followsCancellation } from './deadline.ts';
import { IncomingMessages } from './incoming-messages.ts';
import { metadataOf, noMetadata } from './metadata.ts';
import { OutgoingMessages } from './outgoing-messages.ts';
import { requestHeaders, serviceUrl } from './request-headers.ts';
import { type CallEnd, endOf, faultOfHead, isNobodyThere, NO_STATUS, statusAmong, unknownEncoding } from './status.ts';
import type {
  GrpcAuthContext,
  GrpcCall,
  GrpcCallCredentials,
  GrpcListener,
  GrpcMessageContext,
  GrpcMetadata,
} from './types.ts';

const NO_HEADERS: readonly string[] = [];
/** Of an exchange whose call was over before it began. */
const CANCELLED: GrpcEnd = { code: GRPC.cancelled };

/** A call of grpc-js over the mesh. Every way out goes through `#finish`, once; a call that is delegated has none of its own. */
export class MeshGrpcCall implements GrpcCall, ExchangeHandler {
  readonly #parts: CallParts;
  readonly #outgoing: OutgoingMessages;
  readonly #incoming: IncomingMessages;
  #credentials: GrpcCallCredentials | undefined;
  #started: { readonly metadata: GrpcMetadata; readonly listener: GrpcListener } | undefined;
  /** What credentials have added. */
  #metadata: GrpcMetadata | undefined;
  #exchange: Exchange | undefined;
  /** The call of grpc-js's own channel in the place of this one. */
  #inner: GrpcCall | undefined;
  #isDelegated = false;
  #reads = 0;
  #isPaused = false;
  #hasHead = false;
  /** What the server has said, until its messages are read. */
  #end: CallEnd | undefined;
  #trailers = NO_HEADERS;
  #timer: Timer | undefined;
  #pauseMs = defaultOf('grpcReadyBackOffMs');
  #isOver = false;

  constructor(parts: CallParts) {
    const { settings, parent, flags } = parts;
    this.#parts = parts;
    this.#credentials = parts.credentials;
    this.#outgoing = new OutgoingMessages(settings.algorithm);
    this.#incoming = new IncomingMessages(settings.maxReceiveBytes, {
      onMessage: (message) => this.#started?.listener.onReceiveMessage(message),
      onDrained: () => this.#finish(this.#end ?? NO_STATUS, this.#trailers),
      onRoom: () => this.#resume(),
      onFault: (end) => this.#finish(end),
    });
    if (parent !== null && followsCancellation(flags)) parent.on('cancelled', this.#onParentCancelled);
  }

  setCredentials(credentials: GrpcCallCredentials): void {
    this.#credentials = this.#credentials === undefined ? credentials : this.#credentials.compose(credentials);
  }

  getCallNumber(): number {
    return this.#parts.number;
  }

  getPeer(): string {
    return this.#inner?.getPeer() ?? (this.#exchange?.story?.endpoint || this.#parts.target.authority);
  }

  getAuthContext(): GrpcAuthContext | null {
    if (this.#inner !== undefined) return this.#inner.getAuthContext?.() ?? null;
    const spiffeId = this.#exchange?.story?.peer;
    return spiffeId === undefined ? {} : { transportSecurityType: 'ssl', spiffeId };
  }

  /** What it is, unary or a stream, is seen by what has been called when the caller is done. */
  start(metadata: GrpcMetadata, listener: GrpcListener): void {
    if (this.#started !== undefined) return;
    this.#started = { metadata, listener };
    this.#parts.counts.begin(this.#parts.runtime.clock.wallTime());
    this.#incoming.isSingle = true;
    // A client that wants one answer asks for it with the start (grpc-js BaseUnaryInterceptingCall).
    process.nextTick(() => {
      if (this.#reads === 0) this.#incoming.isSingle = false;
    });
    queueMicrotask(() => this.#begin());
  }

  sendMessageWithContext(context: GrpcMessageContext, message: Buffer): void {
    if (this.#inner !== undefined) {
      this.#inner.sendMessageWithContext(context, message);
      return;
    }
    const { maxSendBytes } = this.#parts.settings;
    if (message.length > maxSendBytes) {
      const details = `Attempted to send message with a size larger than max (${message.length} vs ${maxSendBytes})`;
      this.#finish({ code: GRPC.resourceExhausted, details });
    }
    this.#outgoing.push(context, message);
    if (this.#isOver) this.#outgoing.close();
  }

  startRead(): void {
    if (this.#inner !== undefined) {
      this.#inner.startRead();
      return;
    }
    this.#reads++;
    this.#incoming.read();
  }

  halfClose(): void {
    if (this.#inner !== undefined) this.#inner.halfClose();
    else this.#outgoing.end();
  }

  cancelWithStatus(code: number, details: string): void {
    if (this.#inner !== undefined) this.#inner.cancelWithStatus(code, details);
    else this.#finish({ code, details });
  }

  readonly #onParentCancelled = (): void => this.cancelWithStatus(GRPC.cancelled, 'Cancelled by parent call');

  #begin(): void {
    if (this.#isOver || this.#started === undefined) return;
    const { metadata } = this.#started;
    const credentials = this.#credentials;
    if (this.#leftMs() <= 0) this.#expire();
    else if (this.#parts.target.dialled === undefined) this.onPassthrough();
    else if (credentials === undefined) this.#send();
    else this.#authorize(credentials, metadata);
  }

  #authorize(credentials: GrpcCallCredentials, metadata: GrpcMetadata): void {
    const { method, target, host } = this.#parts;
    this.#wait(this.#leftMs());
    const options = {
      method_name: method.slice(method.lastIndexOf('/') + 1),
      service_url: serviceUrl(host ?? target.authority, method),
    };
    credentials.generateMetadata(options).then(
      (more) => {
        this.#metadata = metadata.clone();
        this.#metadata.merge(more);
        this.#send();
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#finish({ code: GRPC.unavailable, details: `Getting metadata from plugin failed with error: ${reason}` });
      },
    );
  }

  #send(): void {
    const { runtime, target, settings, method } = this.#parts;
    const metadata = this.#metadata ?? this.#started?.metadata;
    if (this.#isOver || metadata === undefined || target.dialled === undefined) return;
    this.#timer?.cancel();
    const leftMs = this.#leftMs();
    const timeoutMs = Number.isFinite(leftMs) ? Math.max(1, leftMs) : undefined;
    const request = {
      method: 'POST',
      scheme: target.dialled.scheme,
      authority: this.#parts.host ?? settings.authority ?? target.authority,
      path: method,
      headers: requestHeaders(metadata, settings, timeoutMs),
    };
    const policy = {
      localReply: 'throw' as const,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(!settings.retries && { retry: false as const }),
    };
    const body = this.#outgoing.body();
    const { channel } = this.#parts;
    const outgoing = { dialled: target.dialled, request, body, policy, isGrpc: true, channel };
    const exchange = startExchange(runtime, outgoing, this);
    if (this.#isOver) exchange.abort(CANCELLED);
    else if (!this.#isDelegated) this.#exchange = exchange;
  }

  /** The host is none of the mesh's. */
  onPassthrough(): void {
    const { runtime, target, method, deadlineMs, host, parent, flags } = this.#parts;
    if (target.isFederated) {
      this.#finish({ code: GRPC.unavailable, details: `Nothing is known of ${target.text}` });
      return;
    }
    this.#isDelegated = true;
    this.#parts.counts.takeBack();
    runtime.emit({ kind: 'passthrough', host: target.dialled?.host ?? target.text, cluster: 'PassthroughCluster' });
    this.#parts.plain().then(
      (channel) => {
        if (!this.#isOver) this.#delegate(channel.createCall(method, deadlineMs, host, parent, flags));
      },
      (error: unknown) => this.#finish({ ...endOf(error), code: GRPC.unavailable }),
    );
  }

  #delegate(inner: GrpcCall): void {
    const started = this.#started;
    if (started === undefined) return;
    this.#parts.parent?.off?.('cancelled', this.#onParentCancelled);
    this.#inner = inner;
    if (this.#credentials !== undefined) inner.setCredentials(this.#credentials);
    inner.start(started.metadata, started.listener);
    this.#outgoing.drain(inner);
    for (; this.#reads > 0; this.#reads--) inner.startRead();
  }

  onHeaders(status: number, headers: string[]): void {
    const started = this.#started;
    if (this.#isOver || started === undefined) return;
    this.#hasHead = true;
    this.#end = statusAmong(headers);
    if (this.#end !== undefined) {
      // Trailers-only (PROTOCOL-HTTP2): the head is the end.
      this.#trailers = headers;
      return;
    }
    const encoding = headerValue(headers, 'grpc-encoding') ?? 'identity';
    const fault = faultOfHead(status, headers) ?? (isAlgorithm(encoding) ? undefined : unknownEncoding(encoding));
    if (fault !== undefined) {
      this.#finish(fault, headers);
      return;
    }
    if (isAlgorithm(encoding)) this.#incoming.algorithm = encoding;
    started.listener.onReceiveMetadata(metadataOf(headers, started.metadata));
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#end !== undefined) return true;
    const hasRoom = this.#incoming.push(chunk);
    this.#isPaused = !hasRoom;
    return hasRoom;
  }

  onEnd(trailers: string[]): void {
    if (this.#isOver) return;
    this.#exchange = ended(this.#exchange);
    if (this.#end === undefined) {
      this.#end = statusAmong(trailers);
      this.#trailers = trailers;
    }
    this.#incoming.end();
  }

  onError(error: unknown): void {
    if (this.#isOver) return;
    this.#exchange = ended(this.#exchange);
    if (this.#leftMs() <= 0) this.#expire(error);
    else if (!this.#waitsForReady || this.#hasHead || this.#outgoing.hasBegun || !isNobodyThere(error)) {
      this.#finish(endOf(error));
    } else this.#tryLater();
  }

  get #waitsForReady(): boolean {
    return this.#started?.metadata.getOptions().waitForReady === true;
  }

  /** gRPC wait-for-ready: until somebody is there or the deadline is over. */
  #tryLater(): void {
    const pauseMs = Math.min(this.#pauseMs, this.#leftMs());
    this.#pauseMs = Math.min(this.#pauseMs * 1.6, defaultOf('grpcReadyBackOffMaxMs'));
    this.#timer = awaitedTimer(this.#parts.runtime.clock, pauseMs, () => {
      if (this.#leftMs() <= 0) this.#expire();
      else this.#send();
    });
  }

  /** While nobody else looks at the time. */
  #wait(ms: number): void {
    if (Number.isFinite(ms)) this.#timer = awaitedTimer(this.#parts.runtime.clock, ms, () => this.#expire());
  }

  #expire(cause?: unknown): void {
    const reason = cause === undefined ? '' : `: ${endOf(cause).details}`;
    this.#finish({ code: GRPC.deadlineExceeded, details: `Deadline exceeded${reason}` });
  }

  #leftMs(): number {
    return this.#parts.deadlineMs - this.#parts.runtime.clock.wallTime();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#exchange?.resume();
  }

  #finish(end: CallEnd, trailers: readonly string[] = NO_HEADERS): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#incoming.close();
    this.#outgoing.close();
    this.#parts.parent?.off?.('cancelled', this.#onParentCancelled);
    this.#exchange?.abort(end);
    const started = this.#started;
    if (started === undefined) return;
    if (!this.#isDelegated) this.#parts.counts.end(end.code === GRPC.ok);
    const { metadata, listener } = started;
    // What a listener throws is the application's, not the connection's.
    queueMicrotask(() => {
      const told = trailers.length === 0 ? noMetadata(metadata) : metadataOf(trailers, metadata);
      listener.onReceiveStatus({ ...end, metadata: told });
    });
  }
}

/** There is nothing left to abort; who has answered is still asked for. */
const ended = (exchange: Exchange | undefined): Exchange | undefined =>
  exchange && { story: exchange.story, abort() {}, resume() {} };
