import type { Duplex } from 'node:stream';
import type { Timer } from '../clock.ts';
import type { Http1Request } from '../connection/http1-client.ts';
import type { MeshError } from '../errors.ts';
import type { MeshRequest } from '../model/request.ts';
import { incomingHeaders, outgoingRequest } from '../route/outgoing.ts';
import type { Pick } from '../upstream/pick.ts';
import { patientTimer } from '../wire/late-timer.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { BodySource, type CallBody } from './body-source.ts';
import { deliver } from './deliver.ts';
import { type AttemptFailure, replyFor } from './failure.ts';
import type { LiveTarget } from './live-target.ts';
import { callError, errorOf, type LocalReply, noHealthyUpstream, overflow, timedOut } from './local-reply.ts';
import { type LocalAnswer, planCall, tlsFor, type Way } from './plan.ts';
import { wireHeaders } from './request-head.ts';
import { LiveStory } from './story.ts';
import type { Call, CallHandler, CallOptions, CallRuntime } from './types.ts';

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export interface MeshCallParts {
  readonly runtime: CallRuntime;
  readonly target: LiveTarget;
  readonly request: MeshRequest;
  readonly body: CallBody;
  readonly handler: CallHandler;
  readonly options: CallOptions;
}

/** One call's life: plan, pick, attempts, answer. Every way out goes through `#finish`, once. */
export class MeshCall implements Call, AttemptOwner {
  readonly story: LiveStory;
  readonly #runtime: CallRuntime;
  readonly #target: LiveTarget;
  readonly #request: MeshRequest;
  readonly #body: CallBody;
  readonly #handler: CallHandler;
  readonly #options: CallOptions;
  readonly #source: BodySource | undefined;
  #way: Way | undefined;
  #attempt: Attempt | undefined;
  #http1Request: Http1Request | undefined;
  /** The request as it goes out. */
  #outgoing: MeshRequest;
  #timer: Timer | undefined;
  #status = 0;
  #isOver = false;

  constructor({ runtime, target, request, body, handler, options }: MeshCallParts) {
    this.#runtime = runtime;
    this.#target = target;
    this.#request = request;
    this.#outgoing = request;
    this.#body = body;
    this.#handler = handler;
    this.#options = options;
    this.#source = body.kind === 'stream' ? new BodySource(body.stream) : undefined;
    this.story = new LiveStory(target.target, runtime.clock.now());
  }

  start(): void {
    const plan = planCall(this.#target, this.#request, this.#options, this.#runtime.random);
    if (plan.decision !== undefined) this.story.route = plan.decision.routeName;
    if (plan.cluster !== undefined) this.story.cluster = plan.cluster.name;
    if (plan.kind === 'local') this.#answerLater(plan.reply, plan);
    else this.#forward(plan);
  }

  #forward(way: Way): void {
    this.#way = way;
    const { startMs } = this.story.timings;
    const dueMs = this.#dueMs(this.#source === undefined, startMs);
    if (dueMs <= startMs) {
      this.#answerLater(timedOut('its deadline was over before it began'), way);
      return;
    }
    const pick = way.upstream.pick(way.context);
    if (pick.kind === 'failure') {
      this.#answerLater(pick.flag === 'UO' ? overflow(pick.reason) : noHealthyUpstream(pick.reason), way);
      return;
    }
    this.#arm(dueMs, startMs);
    this.#tryOn(pick, way, startMs);
  }

  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#attempt?.cancel();
    this.story.flag = 'DC';
    this.#finish(this.#runtime.clock.now());
    this.#handler.onError(reason);
  }

  resume(): void {
    this.#attempt?.resume();
  }

  get http1Request(): Http1Request {
    this.#http1Request ??= this.#makeRequest();
    return this.#http1Request;
  }

  get mayReplay(): boolean {
    const isFirst = this.story.attempts.length === 0;
    return isFirst && IDEMPOTENT.has(this.#request.method) && this.#source?.isPulled !== true;
  }

  get bodyFailure(): BodySource['failure'] {
    return this.#source?.failure;
  }

  /** Envoy's route timeout begins when the whole request has come: for a stream, when all of it has been sent. */
  onSent(): void {
    if (this.#source === undefined) return;
    const nowMs = this.#runtime.clock.now();
    this.#arm(this.#dueMs(true, nowMs), nowMs);
  }

  onInformational(status: number, headers: string[]): void {
    this.#handler.onInformational?.(status, headers);
  }

  onHead(status: number, headers: string[], statusText: string): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.story.endpoint = this.#attempt?.endpoint ?? '';
    this.#handler.onHeaders(status, this.#answerHeaders(headers), statusText);
  }

  onData(chunk: Uint8Array): boolean {
    return this.#handler.onData(chunk);
  }

  onEnd(trailers: string[], nowMs: number): void {
    this.#finish(nowMs);
    this.#handler.onEnd(trailers);
  }

  onUpgrade(status: number, headers: string[], socket: Duplex): void {
    this.#status = status;
    this.story.timings.headersMs = this.#runtime.clock.now();
    this.#finish(this.story.timings.headersMs);
    this.#handler.onUpgrade?.(status, this.#answerHeaders(headers), socket);
  }

  onFailed(failure: AttemptFailure): void {
    const attempt = this.#attempt;
    if (attempt !== undefined) attempt.flag = failure.flag;
    this.#answer(replyFor(failure, this.story.attempts.length > 0), this.#way);
  }

  onStale(): void {
    const attempt = this.#attempt;
    if (attempt === undefined || this.#way === undefined) return;
    const nowMs = this.#runtime.clock.now();
    this.#record(nowMs);
    this.#tryOn(attempt.pick, this.#way, nowMs);
  }

  onBroken({ code, flag, status, what, cause }: AttemptFailure): void {
    const failure = this.bodyFailure;
    if (failure !== undefined) {
      this.onInvalid(failure.error);
      return;
    }
    if (this.#attempt !== undefined) this.#attempt.flag = flag;
    this.story.flag = flag;
    this.#fail(callError(code, { flag, status, what: `the response broke off: ${what}`, cause }, this.story));
  }

  onInvalid(error: unknown): void {
    // Possibly while the call is still being started.
    queueMicrotask(() => {
      if (this.#isOver) return;
      this.#finish(this.#runtime.clock.now());
      this.#handler.onError(error);
    });
  }

  #tryOn(pick: Pick, { upstream }: Way, nowMs: number): void {
    const { cluster } = upstream.config();
    const { connections, clock } = this.#runtime;
    const tls = tlsFor(cluster, this.#request, this.#options);
    const isFresh = this.story.attempts.length > 0;
    const attempt = new Attempt({ owner: this, pick, cluster, tls, connections, clock }, nowMs);
    this.#attempt = attempt;
    attempt.start(isFresh);
  }

  #makeRequest(): Http1Request {
    const way = this.#way;
    if (way !== undefined) this.#outgoing = outgoingRequest(way, this.#request, this.#runtime.clock.wallTime());
    const { method, path } = this.#outgoing;
    const body = this.#body.kind === 'bytes' ? this.#body.bytes : (this.#source ?? null);
    return {
      method,
      path,
      headers: wireHeaders(this.#outgoing, this.#body),
      body,
      upgrade: this.#options.upgrade ?? null,
    };
  }

  #answerHeaders(headers: string[]): string[] {
    const way = this.#way;
    if (way === undefined) return headers;
    const mutated = incomingHeaders(way.decision, way.cluster, headers, {
      request: this.#outgoing,
      asked: this.#request,
    });
    for (const cookie of way.setCookies) mutated.push('set-cookie', cookie);
    return mutated;
  }

  /** When the call is late: the caller's deadline, or the route's timeout counted from `fromMs`. */
  #dueMs(isSent: boolean, fromMs: number): number {
    const deadlineMs = this.#options.deadlineMs ?? Number.POSITIVE_INFINITY;
    const timeoutMs = this.#way?.action.timeoutMs ?? 0;
    return isSent && timeoutMs > 0 ? Math.min(deadlineMs, fromMs + timeoutMs) : deadlineMs;
  }

  #arm(dueMs: number, nowMs: number): void {
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = patientTimer(this.#runtime, dueMs - nowMs, () => this.#expire(), nowMs);
  }

  #expire(): void {
    if (this.#isOver) return;
    const attempt = this.#attempt;
    attempt?.cancel('timeout');
    if (attempt !== undefined) attempt.flag = 'UT';
    const what = `no complete answer within ${Math.round(this.#runtime.clock.now() - this.story.timings.startMs)} ms`;
    if (this.#status === 0) {
      this.#answer(timedOut(what), this.#way);
      return;
    }
    this.story.flag = 'UT';
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
    story.flag = reply.flag;
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

  #record(nowMs: number): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.story.endpoint = attempt.endpoint;
    this.story.attempts.push(attempt.tell(this.story.timings.startMs, nowMs));
  }

  #finish(nowMs: number): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#source?.close();
    this.#record(nowMs);
    this.story.timings.endMs = nowMs;
    const { emit, isObserved } = this.#runtime;
    if (isObserved()) emit({ kind: 'call', request: this.#request, status: this.#status, story: this.story });
  }
}

const NOWHERE = { decision: undefined, cluster: undefined };
