import type { Duplex } from 'node:stream';
import type { Timer } from '../clock.ts';
import type { WireRequest } from '../connection/exchange.ts';
import type { MeshError } from '../errors.ts';
import type { MeshRequest } from '../model/request.ts';
import { incomingHeaders, outgoingRequest } from '../route/outgoing.ts';
import { patientTimer } from '../wire/late-timer.ts';
import type { ResponseHead } from './attempt.ts';
import { BodySource, type CallBody } from './body-source.ts';
import { deliver } from './deliver.ts';
import type { AttemptFailure } from './failure.ts';
import type { LiveTarget } from './live-target.ts';
import { callError, errorOf, type LocalReply, timedOut } from './local-reply.ts';
import { type LocalAnswer, planCall, type Way } from './plan.ts';
import { type RequestTimes, wireHeaders } from './request-head.ts';
import { LiveStory } from './story.ts';
import { type CallTerms, termsOf } from './terms.ts';
import { pickFailure, Tries, type TriesOwner } from './tries.ts';
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
  readonly #runtime: CallRuntime;
  readonly #target: LiveTarget;
  readonly #request: MeshRequest;
  readonly #body: CallBody;
  readonly #handler: CallHandler;
  readonly #options: CallOptions;
  #source: BodySource | undefined;
  #way: Way | undefined;
  #terms: CallTerms | undefined;
  #wishes: Wishes | undefined;
  #tries: Tries | undefined;
  /** The request as it went out last, and for which attempt. */
  #outgoing: MeshRequest | undefined;
  #attempt = 1;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #status = 0;
  #isOver = false;

  constructor({ runtime, target, request, body, handler, options }: MeshCallParts) {
    this.#runtime = runtime;
    this.#target = target;
    this.#request = request;
    this.#body = body;
    this.#handler = handler;
    this.#options = options;
    this.story = new LiveStory(target.target, runtime.clock.now());
  }

  start(): void {
    const plan = planCall(this.#target, this.#request, this.#options, this.#runtime.random);
    if (plan.decision !== undefined) this.story.route = plan.decision.routeName;
    if (plan.cluster !== undefined) this.story.cluster = plan.cluster.name;
    if (plan.kind === 'local') {
      this.#letGo();
      this.#answerLater(plan.reply, plan);
    } else this.#forward(plan);
  }

  #forward(way: Way): void {
    const { startMs } = this.story.timings;
    this.#way = way;
    this.#wishes = wishesOf(this.#request);
    this.#terms = termsOf(way.action, this.#wishes);
    if (this.#body.kind === 'stream') this.#source = new BodySource(this.#body.stream, this.#terms.keepBytes);
    this.#setDue(startMs, this.#source === undefined);
    if (this.#dueMs <= startMs) {
      this.#answerLater(timedOut('its deadline was over before it began'), way);
      return;
    }
    this.#tries = new Tries({
      owner: this,
      runtime: this.#runtime,
      way,
      terms: this.#terms,
      request: this.#request,
      source: this.#source,
      options: this.#options,
    });
    const failure = this.#tries.start(startMs);
    if (failure === undefined) this.#arm(startMs);
    else this.#answerLater(pickFailure(failure), way);
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
    const outgoing = this.#makeOutgoing(number, hostname);
    const { method, path } = outgoing;
    const body = this.#body.kind === 'bytes' ? this.#body.bytes : (this.#source?.reader() ?? null);
    const headers = wireHeaders(outgoing, this.#body, this.#times());
    return { method, path, headers, body, upgrade: this.#options.upgrade ?? null };
  }

  /** Envoy's route timeout begins when the whole request has come: for a stream, when all of it has been sent. */
  onSent(): void {
    if (this.#source === undefined) return;
    const nowMs = this.#runtime.clock.now();
    this.#setDue(nowMs, true);
    this.#arm(nowMs);
  }

  onInformational(status: number, headers: string[]): void {
    this.#handler.onInformational?.(status, headers);
  }

  onAnswer({ status, headers, statusText }: ResponseHead): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.#handler.onHeaders(status, this.#answerHeaders(headers), statusText);
  }

  onData(chunk: Uint8Array): boolean {
    return this.#handler.onData(chunk);
  }

  onEnd(trailers: string[], nowMs: number): void {
    this.#finish(nowMs);
    this.#handler.onEnd(trailers);
  }

  onSwitched({ status, headers }: ResponseHead, socket: Duplex): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.#finish(this.story.timings.headersMs);
    this.#handler.onUpgrade?.(status, this.#answerHeaders(headers), socket);
  }

  onGivenUp(reply: LocalReply): void {
    this.#answer(reply, this.#way);
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

  /** For each attempt anew: its number and the endpoint's host name may be part of it. */
  #makeOutgoing(attempt: number, hostname: string | undefined): MeshRequest {
    const way = this.#way;
    if (way === undefined) return this.#request;
    this.#attempt = attempt;
    this.#outgoing = outgoingRequest({ ...way, hostname, attempt }, this.#request, this.#runtime.clock.wallTime());
    return this.#outgoing;
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

  #answerHeaders(headers: string[]): string[] {
    const way = this.#way;
    if (way === undefined) return headers;
    const mutated = incomingHeaders(way.decision, way.cluster, headers, {
      request: this.#outgoing ?? this.#request,
      asked: this.#request,
      status: this.#status,
      attempt: this.#attempt,
    });
    for (const cookie of way.setCookies) mutated.push('set-cookie', cookie);
    return mutated;
  }

  /** When the call is late: the caller's deadline, or the route's timeout counted from `fromMs`. */
  #setDue(fromMs: number, isSent: boolean): void {
    const deadlineMs = this.#options.deadlineMs ?? Number.POSITIVE_INFINITY;
    const timeoutMs = this.#terms?.timeoutMs ?? 0;
    this.#dueMs = isSent && timeoutMs > 0 ? Math.min(deadlineMs, fromMs + timeoutMs) : deadlineMs;
  }

  #arm(nowMs: number): void {
    if (this.#dueMs === Number.POSITIVE_INFINITY || this.#isOver) return;
    this.#timer?.cancel();
    this.#timer = patientTimer(this.#runtime, this.#dueMs - nowMs, () => this.#expire(), nowMs);
  }

  #expire(): void {
    if (this.#isOver) return;
    this.#tries?.end('timeout');
    const what = `no complete answer within ${Math.round(this.#runtime.clock.now() - this.story.timings.startMs)} ms`;
    if (this.#status === 0) {
      this.#answer(timedOut(what), this.#way);
      return;
    }
    this.story.raise('UT');
    this.#fail(callError('MESH_TIMEOUT', { flag: 'UT', status: 504, what }, this.story));
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
    this.#source?.close();
    this.#tries?.close(nowMs);
    this.story.timings.endMs = nowMs;
    const { emit, isObserved } = this.#runtime;
    if (isObserved()) emit({ kind: 'call', request: this.#request, status: this.#status, story: this.story });
  }
}

const NOWHERE = { decision: undefined, cluster: undefined };
