import type { Duplex } from 'node:stream';
import { addressText } from '../balancer/hash-key.ts';
import type { Timer } from '../clock.ts';
import type { ConnectFailure } from '../connection/connect-failure.ts';
import type { Connection } from '../connection/connection.ts';
import {
  type AnswerFields,
  flattenHeaders,
  type RequestController,
  type RequestHandler,
  type WireRequest,
} from '../connection/exchange.ts';
import type { ConnectionWaiter, DialHost } from '../connection/lane.ts';
import type { TlsTarget } from '../connection/tls.ts';
import { defaultOf } from '../defaults.ts';
import type { Cluster } from '../model/cluster.ts';
import type { AttemptStory, ResponseFlag } from '../model/events.ts';
import type { Breaker } from '../upstream/breaker.ts';
import { loadReportIn } from '../upstream/load/report.ts';
import type { Outcome, Pick } from '../upstream/pick.ts';
import { codeOfHttpStatus, GRPC } from '../wire/grpc-status.ts';
import { patientTimer } from '../wire/late-timer.ts';
import { connectOutcome, grpcStatusIn, isStale, NOTHING, storyOf } from './attempt-outcome.ts';
import type { AttemptParts } from './attempt-owner.ts';
import { failedConnect, failedRequest, isInvalidRequest, noRoom, streamTooLong, tooLate } from './failure.ts';
import { StreamLimits } from './stream-limits.ts';

type Phase =
  /** For a connection. */
  | 'waiting'
  /** Handed to undici, nothing is written yet. */
  | 'queued'
  | 'sent'
  | 'body'
  /** Nobody wants the rest of the answer; it is read to keep the connection. */
  | 'draining'
  /** Taken back while queued. */
  | 'withdrawn'
  | 'over';

/** Thrown into undici to take back a request that it has not written. */
const WITHDRAWN = new Error('the call has ended');
const OK = 200;
const LATE: Outcome = { error: 'timeout' };

/**
 * One request on one connection to one picked host. Tells the pick its outcome and its release, once each, and gives the
 * breaker back what it took.
 */
export class Attempt implements RequestHandler, ConnectionWaiter {
  readonly startMs: number;
  readonly pick: Pick;
  /** Of a gRPC call: how many others of its policy were before it. */
  previous = 0;
  status: number | undefined;
  /** Of a gRPC call, once its server has said it. */
  grpcStatus: number | undefined;
  flag: ResponseFlag | undefined;
  /** Why it failed. */
  reason: string | undefined;
  readonly #parts: AttemptParts;
  #phase: Phase = 'waiting';
  #connection: Connection | undefined;
  #controller: RequestController | undefined;
  #isReused = false;
  #isSent = false;
  #hasBegun = false;
  #isCounted = false;
  #hasReported = false;
  #request: WireRequest | undefined;
  /** Its own time, or what is left for reading an answer that nobody wants. */
  #timer: Timer | undefined;
  #limits: StreamLimits | undefined;
  #drainLeft = 0;

  constructor(parts: AttemptParts, pick: Pick, startMs: number) {
    this.#parts = parts;
    this.pick = pick;
    this.startMs = startMs;
  }

  get host(): DialHost {
    return this.pick.host;
  }

  get cluster(): Cluster {
    return this.#parts.cluster;
  }

  get tls(): TlsTarget | undefined {
    return this.#parts.tls;
  }

  get isGrpc(): boolean {
    return this.#parts.isGrpc;
  }

  get breaker(): Breaker {
    return this.#parts.breaker;
  }

  get endpoint(): string {
    return this.#connection?.endpoint ?? addressText(this.host);
  }

  /** SPIFFE ID of the server, where it is one of the mesh. */
  get peer(): string | undefined {
    return this.#parts.tls === undefined ? undefined : this.#connection?.peer;
  }

  /** Some of the request may have reached the peer. */
  get hasLeft(): boolean {
    return this.#controller !== undefined;
  }

  /** Its part of the call's story. */
  tell(callStartMs: number, nowMs: number): AttemptStory {
    const at = { startMs: this.startMs - callStartMs, endMs: nowMs - callStartMs };
    return storyOf(this, at, this.#isReused);
  }

  start(isFresh: boolean): void {
    const { connections } = this.#parts;
    const connection = isFresh ? connections.checkoutFresh(this) : connections.checkout(this, this.startMs);
    if (connection !== undefined) this.#send(connection, this.startMs);
  }

  onConnection(connection: Connection): void {
    this.#send(connection, this.#parts.patience.clock.now());
  }

  #send(connection: Connection, nowMs: number): void {
    if (!this.breaker.takeRequest()) {
      connection.release(nowMs);
      this.#phase = 'over';
      // Possibly while the call is still being started.
      queueMicrotask(() => this.#overflow());
      return;
    }
    this.#isCounted = true;
    this.#connection = connection;
    this.#isReused = connection.isReused;
    this.#phase = 'queued';
    this.pick.connected();
    const { owner, cluster, perTryIdleMs } = this.#parts;
    const request = owner.requestFor(this, nowMs);
    this.#request = request;
    // Envoy's per-try timeout begins with the connection; for a stream, when all of it has been sent.
    if (isAtHand(request.body)) this.#armTotal(nowMs);
    const { maxStreamDurationMs = 0 } = cluster;
    if (perTryIdleMs > 0 || maxStreamDurationMs > 0) this.#limit(maxStreamDurationMs, nowMs);
    connection.dispatch(request, this);
  }

  onConnectFailure(failure: ConnectFailure): void {
    this.#end(connectOutcome(failure));
    this.#parts.owner.onFailed(this, failedConnect(failure, this.endpoint));
  }

  /** The call goes on without it. `error` counts against the host where it has not answered. */
  cancel(error?: 'timeout'): void {
    const phase = this.#phase;
    if (phase === 'body') this.#giveUpAnswer();
    if (phase !== 'waiting' && phase !== 'queued' && phase !== 'sent') return;
    this.#end(error === undefined ? NOTHING : { error });
    if (phase === 'waiting') this.#parts.connections.cancel(this);
    else if (phase === 'queued') this.#phase = 'withdrawn';
    else this.#controller?.abort(WITHDRAWN);
  }

  resume(): void {
    if (this.#phase === 'body') this.#controller?.resume();
  }

  onRequestStart(controller: RequestController): void {
    if (this.#phase === 'withdrawn') throw WITHDRAWN;
    this.#controller = controller;
    this.#phase = 'sent';
  }

  onRequestSent(): void {
    this.#isSent = true;
    if (this.#phase === 'sent' && this.#timer === undefined) this.#armTotal(this.#parts.patience.clock.now());
    // The head of the answer may have come before.
    if (this.#phase === 'sent' || this.#phase === 'body') this.#parts.owner.onSent();
  }

  onResponseStarted(): void {
    this.#hasBegun = true;
  }

  onResponseStart(_: RequestController, status: number, headers: AnswerFields, statusText = ''): void {
    this.#limits?.touch();
    if (status < 200) {
      this.#hasBegun = false;
      this.#parts.owner.onInformational(status, flattenHeaders(headers));
      return;
    }
    this.#phase = 'body';
    this.#timer?.cancel();
    this.status = status;
    this.#judgeHead(status, headers);
    this.#readLoad(headers);
    this.#parts.owner.onHead(this, { status, headers: this.#connection?.readHead(headers) ?? [], statusText });
  }

  onResponseData(controller: RequestController, chunk: Uint8Array): void {
    if (this.#phase === 'body') {
      this.#limits?.touch();
      if (!this.#parts.owner.onData(chunk)) controller.pause();
      return;
    }
    this.#drainLeft -= chunk.length;
    if (this.#drainLeft < 0) this.#stopDraining();
  }

  onResponseEnd(_: RequestController, trailers: AnswerFields): void {
    const isWanted = this.#phase === 'body';
    const nowMs = this.#parts.patience.clock.now();
    this.#stop();
    // Of a request that is not wholly sent the peer still expects the rest.
    if (this.#isSent) this.#connection?.release(nowMs);
    else this.#connection?.close();
    if (!isWanted) return;
    this.#judgeEnd(trailers);
    this.#readLoad(trailers);
    this.#release();
    try {
      this.#parts.owner.onEnd(flattenHeaders(trailers), nowMs);
    } catch (error) {
      // undici would tell it to this attempt, which is over: it is nobody's but the process's, as of any other callback.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  onRequestUpgrade(_: RequestController, status: number, headers: AnswerFields, socket: Duplex): void {
    this.#stop();
    this.status = status;
    this.pick.outcome({ status });
    socket.once('close', () => this.#release());
    this.#parts.owner.onUpgrade(this, { status, headers: flattenHeaders(headers), statusText: '' }, socket);
  }

  onResponseError(_: RequestController | null, error: Error): void {
    const phase = this.#phase;
    if (phase === 'withdrawn') {
      this.#phase = 'over';
      this.#connection?.release(this.#parts.patience.clock.now());
    } else if (phase === 'queued' && isInvalidRequest(error)) {
      this.#end(NOTHING);
      this.#connection?.release(this.#parts.patience.clock.now());
      this.#parts.owner.onInvalid(error);
    } else if (phase === 'queued' || phase === 'sent') {
      this.#failed(error, phase === 'queued');
    } else if (phase === 'body') {
      this.#stop();
      this.pick.outcome({ error: 'reset' });
      this.#release();
      this.#parts.owner.onBroken(this, failedRequest(error, this.endpoint, true));
    } else if (phase === 'draining') {
      this.#stop();
    }
  }

  #failed(error: Error, isUnsent: boolean): void {
    this.#connection?.close();
    const { bodyFailure } = this.#parts.owner;
    if (bodyFailure !== undefined || isInvalidRequest(error)) {
      this.#end(NOTHING);
      this.#parts.owner.onInvalid(bodyFailure === undefined ? error : bodyFailure.error);
      return;
    }
    // Not the host's fault: the pick goes on, so it hears nothing of this.
    if (this.#isReused && !this.#hasBegun && isStale(error) && (isUnsent || this.#parts.owner.mayReplay)) {
      this.#stop();
      this.#giveRequest();
      this.flag = 'UC';
      this.#parts.owner.onStale(this);
      return;
    }
    this.#end({ error: 'reset' });
    this.#parts.owner.onFailed(this, failedRequest(error, this.endpoint, this.#hasBegun));
  }

  /** Envoy Filter::onUpstreamHeaders: a grpc-status in the head is the outcome. For our clients that in the trailers is, too. */
  #judgeHead(status: number, headers: AnswerFields): void {
    const grpcStatus = this.#grpcStatusIn(headers);
    this.grpcStatus = grpcStatus;
    if (grpcStatus !== undefined) this.pick.outcome({ status, grpcStatus });
    else if (this.#parts.isGrpc && status === OK) this.pick.begun();
    else this.pick.outcome({ status });
  }

  #judgeEnd(trailers: AnswerFields): void {
    this.grpcStatus ??= this.#grpcStatusIn(trailers);
    // The outcome of any other answer is known by its head.
    if (!this.#parts.isGrpc) return;
    // An answer without a status is its server's fault; one that is none of gRPC has HTTP's.
    this.grpcStatus ??= this.status === OK ? GRPC.internal : codeOfHttpStatus(this.status ?? 0);
    this.pick.outcome({ status: OK, grpcStatus: this.grpcStatus });
  }

  /** Envoy Filter::maybeProcessOrcaLoadReport: of the head, else of the trailers. */
  #readLoad(headers: AnswerFields): void {
    const { loadBalancer, reportsLoads } = this.#parts.cluster;
    const isWeighed = loadBalancer.kind === 'load-weighted' && loadBalancer.outOfBandMs === undefined;
    if ((!isWeighed && !reportsLoads) || this.#hasReported) return;
    const report = loadReportIn(headers);
    if (report === undefined) return;
    this.#hasReported = true;
    this.pick.reported(report);
  }

  #grpcStatusIn(fields: AnswerFields): number | undefined {
    return grpcStatusIn(fields, this.#parts.isGrpc, this.#request);
  }

  #overflow(): void {
    this.pick.outcome(NOTHING);
    this.pick.release();
    this.#parts.owner.onFailed(this, noRoom(this.cluster.name));
  }

  #armTotal(nowMs: number): void {
    const { patience, perTryMs } = this.#parts;
    if (perTryMs > 0) this.#timer = patientTimer(patience, perTryMs, () => this.#late(), nowMs);
  }

  #late(): void {
    if (this.#phase === 'queued' || this.#phase === 'sent') this.#parts.owner.onLate(this);
  }

  #limit(durationMs: number, nowMs: number): void {
    const { patience, perTryIdleMs } = this.#parts;
    const times = { idleMs: perTryIdleMs, durationMs };
    this.#limits = new StreamLimits(patience, times, nowMs, (which) => this.#expire(which));
  }

  /** Its limits hold to the end of the body. */
  #expire(which: 'idle' | 'duration'): void {
    const isIdle = which === 'idle';
    const failure = isIdle ? tooLate(this.endpoint, this.#parts.perTryIdleMs) : streamTooLong(this.cluster.name);
    if (this.#phase === 'body') {
      this.#end(isIdle ? LATE : NOTHING);
      this.#controller?.abort(WITHDRAWN);
      this.#parts.owner.onBroken(this, failure);
    } else if (this.#phase === 'queued' || this.#phase === 'sent') {
      this.cancel(isIdle ? 'timeout' : undefined);
      this.#parts.owner.onFailed(this, failure);
    }
  }

  #end(outcome: Outcome): void {
    this.#stop();
    this.pick.outcome(outcome);
    this.#release();
  }

  #stop(): void {
    this.#phase = 'over';
    this.#timer?.cancel();
    this.#limits?.close();
  }

  #release(): void {
    this.#giveRequest();
    this.pick.release();
  }

  #giveRequest(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.breaker.giveRequest();
  }

  #giveUpAnswer(): void {
    if (!this.#parts.isGrpc) {
      this.#drain();
      return;
    }
    // A stream is no connection: nothing is saved by reading on, and the peer is to stop (RST_STREAM CANCEL). As far as it
    // went the answer was good.
    this.#end({ status: OK });
    this.#controller?.abort(WITHDRAWN);
  }

  /** Reading what is left of a short answer is cheaper than a new connection. */
  #drain(): void {
    this.#phase = 'draining';
    this.#limits?.close();
    this.#release();
    this.#drainLeft = defaultOf('drainBytes');
    this.#timer = this.#parts.patience.clock.after(defaultOf('drainMs'), () => this.#stopDraining());
    this.#controller?.resume();
  }

  #stopDraining(): void {
    this.#controller?.abort(WITHDRAWN);
  }
}

/** Not to be produced first. */
const isAtHand = (body: WireRequest['body']): boolean => body === null || body instanceof Uint8Array;
