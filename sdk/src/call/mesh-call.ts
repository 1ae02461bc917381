import type { Duplex } from 'node:stream';
import { addressText } from '../balancer/hash-key.ts';
import type { WireRequest } from '../connection/exchange.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshError } from '../errors.ts';
import type { FaultPolicy } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { outgoingRequest } from '../route/outgoing.ts';
import type { Host } from '../upstream/host.ts';
import { GRPC } from '../wire/grpc-status.ts';
import type { ResponseHead } from './attempt-owner.ts';
import { BodySource, type CallBody } from './body-source.ts';
import { CallTime } from './call-time.ts';
import { deliver, isGrpcRequest } from './deliver.ts';
import { type AttemptFailure, pickFailure } from './failure.ts';
import { Injection } from './fault/injection.ts';
import { codeOfAbort, codeOfFailure, codeOfReply } from './grpc-code.ts';
import { Heads } from './heads.ts';
import type { LiveTarget } from './live-target.ts';
import { callError, errorOf, faultReply, type LocalReply, silent, timedOut, tooLong } from './local-reply.ts';
import { AnswerRecord } from './mirror/answer-record.ts';
import { drawMirrors, sendMirrors } from './mirror/mirrors.ts';
import { faultOf, type LocalAnswer, planAgain, planCall, sessionOf, type Way } from './plan.ts';
import { LiveStory } from './story.ts';
import { StreamLimits, type StreamTimes } from './stream-limits.ts';
import { type CallTerms, streamTimes, termsOf } from './terms.ts';
import { Tries } from './tries.ts';
import type { TriesOwner } from './tries-owner.ts';
import type { Call, CallHandler, CallOptions, CallRuntime } from './types.ts';
import { wishesOf } from './wishes.ts';

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
  #source: BodySource | undefined;
  #heads: Heads | undefined;
  #terms: CallTerms | undefined;
  #time: CallTime | undefined;
  #injection: Injection | undefined;
  #tries: Tries | undefined;
  /** Of the answer, where mirrors are compared with it. */
  #record: AnswerRecord | undefined;
  #limits: StreamLimits | undefined;
  /** Of the call's own time, what a fault has taken. */
  #heldMs = 0;
  #status = 0;
  #isOver = false;

  constructor(parts: MeshCallParts) {
    this.#parts = parts;
    this.story = new LiveStory(parts.target.target, parts.runtime.clock.now());
  }

  start(): void {
    const plan = planCall(this.#parts);
    if (plan.decision !== undefined) this.story.route = plan.decision.routeName;
    if (plan.cluster !== undefined) this.story.cluster = plan.cluster.name;
    if (plan.kind === 'local') {
      this.#letGo();
      this.#answerLater(plan.reply, plan);
    } else this.#forward(plan);
  }

  #forward(way: Way): void {
    const { request, body, options } = this.#parts;
    const { startMs } = this.story.timings;
    const { action } = way;
    const wishes = wishesOf(request);
    const terms = termsOf(action, wishes, options.policy);
    const time = new CallTime(this.#parts, action, terms, wishes !== undefined, () => this.#expire());
    this.#terms = terms;
    this.#time = time;
    // gRFC A6: for a transparent retry some of a stream is kept even where no policy retries.
    const keepBytes = options.isGrpc ? Math.max(terms.keepBytes, defaultOf('bodyBufferBytes')) : terms.keepBytes;
    if (body.kind === 'stream') this.#source = new BodySource(body.stream, keepBytes);
    this.#heads = new Heads(this.#parts, this.#source, way);
    time.setDue(startMs, this.#source === undefined);
    if (time.isOver(startMs)) {
      this.#answerLater(timedOut('its deadline was over before it began'), way);
      return;
    }
    const isGrpc = options.isGrpc === true;
    const stream = streamTimes(terms, action, { request, isGrpc });
    if (stream !== undefined) {
      this.#limit(stream, startMs);
      if (isGrpc) time.limit(startMs, stream.durationMs);
    }
    const fault = faultOf(way);
    if (fault === undefined || fault.scope === 'attempt') this.#send(way, startMs);
    else this.#inject(fault, way, startMs);
  }

  /** A fault of the whole call (Envoy's filter): before anything is sent, never retried. */
  #inject(policy: FaultPolicy, way: Way, startMs: number): void {
    const { request, runtime } = this.#parts;
    this.#injection = new Injection(
      { policy, request, cluster: way.cluster.name, runtime },
      {
        raise: (flag) => this.story.raise(flag),
        held: (ms) => {
          this.#heldMs += ms;
        },
        goOn: () => {
          if (this.#isOver) return;
          this.#time?.setDue(startMs, this.#source === undefined);
          this.#send(way, runtime.clock.now());
        },
        abort: (abort) => this.#answerLater(faultReply(abort), way),
      },
    );
    this.#heldMs = this.#injection.begin();
    if (this.#heldMs === 0) return;
    this.#time?.setDue(startMs, true);
    this.#arm(startMs);
  }

  #send(way: Way, nowMs: number): void {
    const terms = this.#terms ?? termsOf(way.action, undefined);
    const { runtime, request, options } = this.#parts;
    const fault = faultOf(way);
    this.#tries = new Tries({
      owner: this,
      runtime,
      way,
      terms,
      request,
      source: this.#source,
      options,
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
    const { runtime, target, request, options, body } = this.#parts;
    const policies = drawMirrors(way, runtime);
    if (policies.length === 0 || options.upgrade !== undefined) return;
    if (way.action.mirrorComparison !== undefined) this.#record = new AnswerRecord(this.story.timings.startMs);
    const { timeoutMs = 0 } = this.#terms ?? {};
    const send = (chunks: readonly Uint8Array[]): void =>
      sendMirrors(policies, chunks, {
        ...{ runtime, target, way, options, timeoutMs },
        request: outgoingRequest(way, request, runtime.clock.wallTime()),
        times: this.#time?.tell(runtime.clock.now()),
        story: this.story,
        record: this.#record,
      });
    if (this.#source !== undefined) this.#source.onWhole = send;
    else send(body.kind === 'bytes' ? [body.bytes] : []);
  }

  abort(reason: unknown): void {
    if (this.#isOver) return;
    this.#tries?.end();
    this.story.raise('DC');
    this.#finish(this.#parts.runtime.clock.now(), this.#parts.options.isGrpc ? codeOfAbort(reason) : undefined);
    this.#parts.handler.onError(reason);
  }

  resume(): void {
    this.#tries?.resume();
  }

  requestFor(number: number, hostname: string | undefined, nowMs: number): WireRequest {
    // Only a forwarded call has attempts.
    return (this.#heads as Heads).requestFor(number, hostname, this.#time?.tell(nowMs));
  }

  repick(): Way {
    const heads = this.#heads as Heads;
    heads.way = planAgain(heads.way, this.#parts);
    this.story.cluster = heads.way.cluster.name;
    return heads.way;
  }

  /** Envoy's route timeout begins when the whole request has come: for a stream, when all of it has been sent. */
  onSent(): void {
    this.#limits?.touch();
    if (this.#source === undefined) return;
    const nowMs = this.#parts.runtime.clock.now();
    this.#time?.setDue(nowMs - this.#heldMs, true);
    this.#arm(nowMs);
  }

  onInformational(status: number, headers: string[]): void {
    this.#limits?.touch();
    this.#parts.handler.onInformational?.(status, headers);
  }

  onAnswer({ status, headers, statusText }: ResponseHead, host: Host): void {
    this.#status = status;
    this.story.timings.headersMs = this.#parts.runtime.clock.now();
    this.#limits?.touch();
    if (this.#record !== undefined) this.#record.status = status;
    this.#parts.handler.onHeaders(status, this.#answerHeaders(headers, host), statusText);
  }

  onData(chunk: Uint8Array): boolean {
    this.#limits?.touch();
    this.#record?.take(chunk);
    return this.#parts.handler.onData(chunk);
  }

  onEnd(trailers: string[], nowMs: number): void {
    this.#record?.end(nowMs);
    this.#finish(nowMs);
    this.#parts.handler.onEnd(trailers);
  }

  onSwitched({ status, headers }: ResponseHead, socket: Duplex): void {
    this.#status = status;
    this.story.timings.headersMs = this.#parts.runtime.clock.now();
    this.#finish(this.story.timings.headersMs);
    this.#parts.handler.onUpgrade?.(status, this.#answerHeaders(headers, undefined), socket);
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
      this.#finish(this.#parts.runtime.clock.now(), this.#parts.options.isGrpc ? GRPC.internal : undefined);
      this.#parts.handler.onError(error);
    });
  }

  #answerHeaders(headers: string[], host: Host | undefined): string[] {
    const heads = this.#heads;
    if (heads === undefined) return headers;
    const hasSession = sessionOf(heads.way) !== undefined && host !== undefined;
    return heads.answer(this.#status, headers, hasSession ? addressText(host) : undefined);
  }

  #arm(nowMs: number): void {
    if (!this.#isOver) this.#time?.arm(nowMs);
  }

  #limit(times: StreamTimes, nowMs: number): void {
    this.#limits = new StreamLimits(this.#parts.runtime, times, nowMs, (which) => this.#expire(which));
    if (this.#source !== undefined) this.#source.onChunk = () => this.#limits?.touch();
  }

  #expire(which: 'timeout' | 'idle' | 'duration' = 'timeout'): void {
    if (this.#isOver) return;
    this.#tries?.end('timeout');
    const lasted = Math.round(this.#parts.runtime.clock.now() - this.story.timings.startMs);
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
    const { request, handler, options, runtime } = this.#parts;
    const nowMs = runtime.clock.now();
    story.local = true;
    if (reply.flag !== undefined) story.raise(reply.flag);
    story.timings.headersMs = nowMs;
    this.#status = reply.status;
    this.#finish(nowMs, this.#codeOf(reply));
    if (reply.code !== undefined && options.localReply === 'throw') {
      handler.onError(errorOf(reply, story));
      return;
    }
    const { decision, cluster } = context ?? NOWHERE;
    deliver(reply, { request, decision, cluster, wallTimeMs: runtime.clock.wallTime() }, handler);
  }

  /** Of an answer of ours; undefined: the call is none of gRPC. */
  #codeOf(reply: LocalReply): number | undefined {
    const { options, request } = this.#parts;
    if (options.isGrpc) return codeOfFailure(reply);
    return isGrpcRequest(request) ? codeOfReply(reply) : undefined;
  }

  #fail(error: MeshError): void {
    this.#finish(this.#parts.runtime.clock.now(), this.#parts.options.isGrpc ? codeOfFailure(error) : undefined);
    this.#parts.handler.onError(error);
  }

  /** A body nobody will read. */
  #letGo(): void {
    const { body } = this.#parts;
    if (body.kind === 'stream') this.#source = new BodySource(body.stream, 0);
  }

  /** `grpcStatus`: of a gRPC call that its server's word did not end. */
  #finish(nowMs: number, grpcStatus?: number): void {
    this.#isOver = true;
    this.#time?.stop();
    this.#limits?.close();
    this.#injection?.close();
    this.#record?.end(undefined);
    this.#source?.close();
    this.#tries?.close(nowMs);
    if (grpcStatus !== undefined) this.story.grpcStatus = grpcStatus;
    this.story.timings.endMs = nowMs;
    const { runtime, request } = this.#parts;
    if (runtime.isObserved()) runtime.emit({ kind: 'call', request, status: this.#status, story: this.story });
  }
}

const LATE = { timeout: timedOut, idle: silent, duration: tooLong } as const;

const NOWHERE = { decision: undefined, cluster: undefined };
