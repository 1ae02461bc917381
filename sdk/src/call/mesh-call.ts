import type { Duplex } from 'node:stream';
import { addressText } from '../balancer/hash-key.ts';
import type { Timer } from '../clock.ts';
import type { WireRequest } from '../connection/exchange.ts';
import type { MeshError } from '../errors.ts';
import type { FaultPolicy } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { outgoingRequest } from '../route/outgoing.ts';
import type { Host } from '../upstream/host.ts';
import { patientTimer } from '../wire/late-timer.ts';
import type { ResponseHead } from './attempt.ts';
import { BodySource, type CallBody } from './body-source.ts';
import { deliver, isGrpcRequest } from './deliver.ts';
import type { AttemptFailure } from './failure.ts';
import { Injection } from './fault/injection.ts';
import { Heads } from './heads.ts';
import type { LiveTarget } from './live-target.ts';
import { callError, errorOf, faultReply, type LocalReply, silent, timedOut, tooLong } from './local-reply.ts';
import { AnswerRecord } from './mirror/answer-record.ts';
import { drawMirrors, sendMirrors } from './mirror/mirrors.ts';
import { type LocalAnswer, planAgain, planCall, type Way } from './plan.ts';
import type { RequestTimes } from './request-head.ts';
import { LiveStory } from './story.ts';
import { StreamLimits, type StreamTimes } from './stream-limits.ts';
import { type CallTerms, streamTimes, termsOf } from './terms.ts';
import { pickFailure, Tries } from './tries.ts';
import type { TriesOwner } from './tries-owner.ts';
import type { Call, CallHandler, CallOptions, CallRuntime } from './types.ts';
import { type Wishes, wishesOf } from './wishes.ts';

export interface MeshCallParts {
  readonly runtime: CallRuntime;
  readonly target: LiveTarget;
  readonly request: MeshRequest;
  readonly body: CallBody;
  readonly handler: CallHandler;
  readonly options: CallOptions;
}

/** One call's life: plan, deadline, tries, answer. Every way out goes through `#finish`, once. */
export class MeshCall implements Call, TriesOwner {
  readonly story: LiveStory;
  readonly #parts: MeshCallParts;
  readonly #runtime: CallRuntime;
  readonly #target: LiveTarget;
  readonly #request: MeshRequest;
  readonly #body: CallBody;
  readonly #handler: CallHandler;
  readonly #options: CallOptions;
  #source: BodySource | undefined;
  #heads: Heads | undefined;
  #terms: CallTerms | undefined;
  #wishes: Wishes | undefined;
  #injection: Injection | undefined;
  #tries: Tries | undefined;
  /** Of the answer, where mirrors are compared with it. */
  #record: AnswerRecord | undefined;
  #timer: Timer | undefined;
  #limits: StreamLimits | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  /** Of the call's own time, what a fault has taken. */
  #heldMs = 0;
  #status = 0;
  #isOver = false;

  constructor(parts: MeshCallParts) {
    const { runtime, target, request, body, handler, options } = parts;
    this.#parts = parts;
    this.#runtime = runtime;
    this.#target = target;
    this.#request = request;
    this.#body = body;
    this.#handler = handler;
    this.#options = options;
    this.story = new LiveStory(target.target, runtime.clock.now());
  }

  start(): void {
    const plan = planCall(this.#target, this.#request, this.#options, this.#runtime);
    if (plan.decision !== undefined) this.story.route = plan.decision.routeName;
    if (plan.cluster !== undefined) this.story.cluster = plan.cluster.name;
    if (plan.kind === 'local') {
      this.#letGo();
      this.#answerLater(plan.reply, plan);
    } else this.#forward(plan);
  }

  #forward(way: Way): void {
    const { startMs } = this.story.timings;
    const { action } = way;
    this.#wishes = wishesOf(this.#request);
    this.#terms = termsOf(action, this.#wishes, this.#options.policy);
    if (this.#body.kind === 'stream') this.#source = new BodySource(this.#body.stream, this.#terms.keepBytes);
    this.#heads = new Heads(this.#parts, this.#source, way);
    this.#setDue(startMs, this.#source === undefined);
    if (this.#dueMs <= startMs) {
      this.#answerLater(timedOut('its deadline was over before it began'), way);
      return;
    }
    const stream = streamTimes(this.#terms, action, this.#request);
    if (stream !== undefined) this.#limit(stream, startMs);
    const { fault } = action;
    if (fault === undefined || fault.scope === 'attempt') this.#send(way, startMs);
    else this.#inject(fault, way, startMs);
  }

  /** A fault of the whole call (Envoy's filter): before anything is sent, never retried. */
  #inject(policy: FaultPolicy, way: Way, startMs: number): void {
    const parts = { policy, request: this.#request, cluster: way.cluster.name, runtime: this.#runtime };
    this.#injection = new Injection(parts, {
      raise: (flag) => this.story.raise(flag),
      goOn: () => {
        if (this.#isOver) return;
        this.#setDue(startMs, this.#source === undefined);
        this.#send(way, this.#runtime.clock.now());
      },
      abort: (abort) => this.#answerLater(faultReply(abort), way),
    });
    this.#heldMs = this.#injection.begin();
    if (this.#heldMs === 0) return;
    this.#setDue(startMs, true);
    this.#arm(startMs);
  }

  #send(way: Way, nowMs: number): void {
    const terms = this.#terms ?? termsOf(way.action, undefined);
    const runtime = this.#runtime;
    const { fault } = way.action;
    this.#tries = new Tries({
      owner: this,
      runtime,
      way,
      terms,
      request: this.#request,
      source: this.#source,
      options: this.#options,
      fault: fault?.scope === 'attempt' ? fault : undefined,
    });
    const failure = this.#tries.start(nowMs);
    if (failure !== undefined) {
      // Envoy Filter::continueDecodeHeaders: what goes nowhere is not mirrored.
      this.#answerLater(pickFailure(failure), way);
      return;
    }
    this.#arm(nowMs);
    if (way.action.mirrors.length > 0) this.#mirror(way);
  }

  /** Copies of the whole request: now, or when all of its body has come. */
  #mirror(way: Way): void {
    const policies = drawMirrors(way, this.#runtime);
    if (policies.length === 0 || this.#options.upgrade !== undefined) return;
    if (way.action.mirrorComparison !== undefined) this.#record = new AnswerRecord(this.story.timings.startMs);
    const { timeoutMs = 0 } = this.#terms ?? {};
    const send = (chunks: readonly Uint8Array[]): void =>
      sendMirrors(policies, chunks, {
        runtime: this.#runtime,
        target: this.#target,
        way,
        request: outgoingRequest(way, this.#request, this.#runtime.clock.wallTime()),
        options: this.#options,
        times: this.#times(),
        timeoutMs,
        story: this.story,
        record: this.#record,
      });
    if (this.#source !== undefined) this.#source.onWhole = send;
    else send(this.#body.kind === 'bytes' ? [this.#body.bytes] : []);
  }

  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#tries?.end();
    this.story.raise('DC');
    this.#finish(this.#runtime.clock.now());
    this.#handler.onError(reason);
  }

  resume(): void {
    this.#tries?.resume();
  }

  requestFor(number: number, hostname: string | undefined): WireRequest {
    // Only a forwarded call has attempts.
    return (this.#heads as Heads).requestFor(number, hostname, this.#times());
  }

  repick(): Way {
    const heads = this.#heads as Heads;
    heads.way = planAgain(heads.way, this.#target, this.#request, this.#options, this.#runtime);
    this.story.cluster = heads.way.cluster.name;
    return heads.way;
  }

  /** Envoy's route timeout begins when the whole request has come: for a stream, when all of it has been sent. */
  onSent(): void {
    this.#limits?.touch();
    if (this.#source === undefined) return;
    const nowMs = this.#runtime.clock.now();
    this.#setDue(nowMs - this.#heldMs, true);
    this.#arm(nowMs);
  }

  onInformational(status: number, headers: string[]): void {
    this.#limits?.touch();
    this.#handler.onInformational?.(status, headers);
  }

  onAnswer({ status, headers, statusText }: ResponseHead, host: Host): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.#limits?.touch();
    if (this.#record !== undefined) this.#record.status = status;
    this.#handler.onHeaders(status, this.#answerHeaders(headers, host), statusText);
  }

  onData(chunk: Uint8Array): boolean {
    this.#limits?.touch();
    this.#record?.take(chunk);
    return this.#handler.onData(chunk);
  }

  onEnd(trailers: string[], nowMs: number): void {
    this.#record?.end(nowMs);
    this.#finish(nowMs);
    this.#handler.onEnd(trailers);
  }

  onSwitched({ status, headers }: ResponseHead, socket: Duplex): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.#finish(this.story.timings.headersMs);
    this.#handler.onUpgrade?.(status, this.#answerHeaders(headers, undefined), socket);
  }

  onGivenUp(reply: LocalReply): void {
    this.#answer(reply, this.#heads?.way);
  }

  onBroken({ code, flag, status, what, cause }: AttemptFailure): void {
    const failure = this.#source?.failure;
    if (failure !== undefined) {
      this.onInvalid(failure.error);
      return;
    }
    this.story.raise(flag);
    this.#fail(callError(code, { flag, status, what: `the response broke off: ${what}`, cause }, this.story));
  }

  onInvalid(error: unknown): void {
    // Possibly while the call is still being started.
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#tries?.end();
      this.#finish(this.#runtime.clock.now());
      this.#handler.onError(error);
    });
  }

  /** What the attempt tells its peer of time (Envoy FilterUtility::setTimeoutHeaders). */
  #times(): RequestTimes | undefined {
    const perTryMs = this.#terms?.perTryMs ?? 0;
    const isLimited = perTryMs > 0 || this.#dueMs !== Number.POSITIVE_INFINITY;
    const hasWishes = this.#wishes !== undefined;
    if (!isLimited && !hasWishes) return undefined;
    const leftMs = this.#dueMs === Number.POSITIVE_INFINITY ? 0 : this.#dueMs - this.#runtime.clock.now();
    const expectedMs = perTryMs > 0 && (leftMs === 0 || perTryMs < leftMs) ? perTryMs : leftMs;
    return { expectedMs: isLimited ? Math.max(1, Math.ceil(expectedMs)) : undefined, hasWishes };
  }

  #answerHeaders(headers: string[], host: Host | undefined): string[] {
    const heads = this.#heads;
    if (heads === undefined) return headers;
    const hasSession = heads.way.action.statefulSession !== undefined && host !== undefined;
    return heads.answer(this.#status, headers, hasSession ? addressText(host) : undefined);
  }

  /** When the call is late: the caller's deadline, or the route's timeout counted from `fromMs`. */
  #setDue(fromMs: number, isSent: boolean): void {
    const deadlineMs = this.#options.deadlineMs ?? Number.POSITIVE_INFINITY;
    const timeoutMs = this.#timeoutMs();
    this.#dueMs = isSent && timeoutMs > 0 ? Math.min(deadlineMs, fromMs + timeoutMs) : deadlineMs;
  }

  #arm(nowMs: number): void {
    if (this.#dueMs === Number.POSITIVE_INFINITY || this.#isOver) return;
    this.#timer?.cancel();
    this.#timer = patientTimer(this.#runtime, this.#dueMs - nowMs, () => this.#expire(), nowMs);
  }

  #limit(times: StreamTimes, nowMs: number): void {
    this.#limits = new StreamLimits(this.#runtime, times, nowMs, (which) => this.#expire(which));
    if (this.#source !== undefined) this.#source.onChunk = () => this.#limits?.touch();
  }

  /** Envoy FilterUtility::finalTimeout: where the header of a gRPC call counts the route's own time does not. */
  #timeoutMs(): number {
    const { grpcTimeoutMaxMs } = this.#heads?.way.action ?? {};
    return grpcTimeoutMaxMs !== undefined && isGrpcRequest(this.#request) ? 0 : (this.#terms?.timeoutMs ?? 0);
  }

  #expire(which: 'timeout' | 'idle' | 'duration' = 'timeout'): void {
    if (this.#isOver) return;
    this.#tries?.end('timeout');
    const lasted = Math.round(this.#runtime.clock.now() - this.story.timings.startMs);
    const reply = LATE[which](`no complete answer within ${lasted} ms`);
    const { flag, what } = reply;
    if (this.#status === 0) {
      this.#answer(reply, this.#heads?.way);
      return;
    }
    if (flag !== undefined) this.story.raise(flag);
    this.#fail(callError('MESH_TIMEOUT', { flag, status: 504, what }, this.story));
  }

  #answerLater(reply: LocalReply, context: LocalAnswer | Way): void {
    queueMicrotask(() => {
      if (!this.#isOver) this.#answer(reply, context);
    });
  }

  #answer(reply: LocalReply, context: LocalAnswer | Way | undefined): void {
    const { story } = this;
    const nowMs = this.#runtime.clock.now();
    story.local = true;
    if (reply.flag !== undefined) story.raise(reply.flag);
    story.timings.headersMs = nowMs;
    this.#status = reply.status;
    this.#finish(nowMs);
    if (reply.code !== undefined && this.#options.localReply === 'throw') {
      this.#handler.onError(errorOf(reply, story));
      return;
    }
    const { decision, cluster } = context ?? NOWHERE;
    const wallTimeMs = this.#runtime.clock.wallTime();
    deliver(reply, { request: this.#request, decision, cluster, wallTimeMs }, this.#handler);
  }

  #fail(error: MeshError): void {
    this.#finish(this.#runtime.clock.now());
    this.#handler.onError(error);
  }

  /** A body nobody will read. */
  #letGo(): void {
    if (this.#body.kind === 'stream') this.#source = new BodySource(this.#body.stream, 0);
  }

  #finish(nowMs: number): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#limits?.close();
    this.#injection?.close();
    this.#record?.end(undefined);
    this.#source?.close();
    this.#tries?.close(nowMs);
    this.story.timings.endMs = nowMs;
    const { emit, isObserved } = this.#runtime;
    if (isObserved()) emit({ kind: 'call', request: this.#request, status: this.#status, story: this.story });
  }
}

const LATE = { timeout: timedOut, idle: silent, duration: tooLong } as const;

const NOWHERE = { decision: undefined, cluster: undefined };
