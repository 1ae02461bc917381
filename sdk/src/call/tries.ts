import type { Duplex } from 'node:stream';
import { awaitedTimer, type Timer } from '../clock.ts';
import { ConnectFailure } from '../connection/connect-failure.ts';
import type { WireRequest } from '../connection/exchange.ts';
import type { HedgePolicy } from '../model/action.ts';
import type { ResponseFlag, RetryRefusal } from '../model/events.ts';
import { keepsToOne } from '../upstream/kept-host.ts';
import type { Pick as HostPick, PickFailure } from '../upstream/pick.ts';
import { Attempt } from './attempt.ts';
import type { AttemptOwner, ResponseHead } from './attempt-owner.ts';
import type { BodySource } from './body-source.ts';
import { type AttemptFailure, isIdentityFailure, isUnreached, pickFailure, replyFor, tooLate } from './failure.ts';
import type { FaultEnd } from './fault/attempt-fault.ts';
import { FaultedAttempts, type FaultedOwner } from './fault/faulted-attempts.ts';
import { codeOfAttempt } from './grpc-code.ts';
import { Hedging } from './hedging.ts';
import type { LocalReply } from './local-reply.ts';
import { bodyObstacle, hedgeObstacle, isReplayable, obstacleTo } from './obstacles.ts';
import { tlsFor, type Way } from './plan.ts';
import { quotaOf } from './retry/quota.ts';
import { Retries, type RetryQuota, type RetryVerdict } from './retry/retries.ts';
import type { CallTerms } from './terms.ts';
import { remembersHosts, TriedHosts } from './tried-hosts.ts';
import type { TriesParts } from './tries-owner.ts';

/** The attempts of one call: the first, its retries, and hedges beside it. */
export class Tries implements AttemptOwner, FaultedOwner {
  readonly #parts: TriesParts;
  readonly #quota: RetryQuota;
  #way: Way;
  #retries: Retries | undefined;
  /** Under way, not answered yet. */
  #running: Attempt[] = NO_ATTEMPTS;
  /** The one whose answer the caller gets. */
  #winner: Attempt | undefined;
  #hosts: TriedHosts | undefined;
  #count = 0;
  /** Until the next attempt. */
  #pause: Timer | undefined;
  readonly #hedging: Hedging | undefined;
  /** Attempts that their faults hold up. */
  #faulted: FaultedAttempts | undefined;
  #hasReplayed = false;
  /** Attempts that no server has looked at, and that were repeated for that alone. */
  #unseen = 0;
  /** Why an attempt found no peer to trust. */
  #refusal: AttemptFailure | undefined;
  #isOver = false;

  constructor(parts: TriesParts) {
    const { way, terms, options } = parts;
    this.#parts = parts;
    this.#way = way;
    this.#quota = quotaOf(way.upstream.breaker(way.action.priority), options.policy);
    if (terms.hedge?.delay !== undefined) this.#hedging = this.#hedgingBy(terms.hedge);
  }

  /** The first attempt; undefined, or why there can be none. */
  start(nowMs: number): PickFailure | undefined {
    const { way, fault } = this.#parts;
    if (fault !== undefined) {
      // Its answer may be there at once.
      queueMicrotask(() => this.#isOver || this.#next());
      return undefined;
    }
    const pick = way.upstream.pick(way.first);
    if (pick.kind === 'failure') return pick;
    this.#tryOn(pick, nowMs, false);
    return undefined;
  }

  /** Ends every attempt. `error` counts against hosts that have not answered. */
  end(error?: 'timeout'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimers();
    const running = this.#running;
    this.#running = NO_ATTEMPTS;
    for (const attempt of running) {
      attempt.cancel(error);
      if (error !== undefined) attempt.flag = 'UT';
      this.#record(attempt);
    }
    this.#winner?.cancel();
    this.#giveBack();
  }

  /** The caller has its answer, or the call is over: what the winner has to tell. */
  close(nowMs: number): void {
    this.#isOver = true;
    this.#giveBack();
    if (this.#winner !== undefined) this.#record(this.#winner, nowMs);
  }

  resume(): void {
    this.#winner?.resume();
  }

  requestFor({ pick, previous }: Attempt, nowMs: number): WireRequest {
    const request = this.#parts.owner.requestFor(this.#count, pick.endpoint.hostname, nowMs);
    if (previous > 0) request.headers.push(PREVIOUS, String(previous));
    return request;
  }

  get mayReplay(): boolean {
    return !this.#hasReplayed && isReplayable(this.#parts);
  }

  get bodyFailure(): BodySource['failure'] {
    return this.#parts.source?.failure;
  }

  onSent(): void {
    this.#parts.owner.onSent();
  }

  onInformational(status: number, headers: string[]): void {
    this.#parts.owner.onInformational(status, headers);
  }

  onHead(attempt: Attempt, head: ResponseHead): void {
    const { retry, retriesOnlyErrors } = this.#parts.terms;
    if (retry !== undefined && (head.status >= 400 || !retriesOnlyErrors)) {
      const { clock } = this.#parts.runtime;
      const verdict = this.#retriesOf(retry).afterAnswer(
        head,
        clock.wallTime(),
        obstacleTo(this.#parts, attempt.hasLeft),
      );
      if (this.#goesOn(verdict, this.#running.length - 1)) {
        this.#drop(attempt);
        return;
      }
    }
    // Of attempts side by side the first good answer is wanted.
    if (head.status >= 500 && this.#running.length > 1) {
      this.#drop(attempt);
      return;
    }
    this.#win(attempt);
    if (attempt.previous > 0) head.headers.push(PREVIOUS, String(attempt.previous));
    this.#parts.owner.onAnswer(head, attempt.pick.host);
  }

  onData(chunk: Uint8Array): boolean {
    return this.#parts.owner.onData(chunk);
  }

  onEnd(trailers: string[], nowMs: number): void {
    this.#parts.owner.onEnd(trailers, nowMs);
  }

  onUpgrade(attempt: Attempt, head: ResponseHead, socket: Duplex): void {
    this.#win(attempt);
    this.#parts.owner.onSwitched(head, socket);
  }

  onFailed(attempt: Attempt, failure: AttemptFailure): void {
    if (this.#isOver) return;
    if (isIdentityFailure(failure)) this.#refusal = failure;
    attempt.flag = failure.flag;
    attempt.reason = failure.what;
    if (this.#isUnseen(attempt, failure)) {
      this.#hasReplayed = true;
      this.#unseen++;
      this.#leave(attempt);
      this.#tryAgain();
      return;
    }
    if (this.#goesElsewhere(attempt, failure)) return;
    const { retry } = this.#parts.terms;
    if (retry !== undefined) {
      const obstacle =
        failure.kind === 'refused-stream' ? bodyObstacle(this.#parts) : obstacleTo(this.#parts, attempt.hasLeft);
      const grpcStatus = this.#parts.options.isGrpc ? codeOfAttempt(failure) : undefined;
      const verdict = this.#retriesOf(retry).afterReset(failure.kind, attempt.hasLeft, obstacle, grpcStatus);
      const goesOn = this.#goesOn(verdict, this.#running.length - 1, failure.flag);
      this.#leave(attempt);
      if (goesOn) return;
    } else this.#leave(attempt);
    if (this.#isIdle) this.#giveUp(replyFor(failure, this.#count > 1 || this.#hasReplayed));
  }

  onLate(attempt: Attempt): void {
    const { perTryMs, hedge } = this.#parts.terms;
    if (hedge?.onPerTryTimeout) {
      const refusal = this.#hedgeLate();
      // Envoy onSoftPerTryTimeout: the flag stays, whatever the tries under way bring.
      if (refusal !== undefined) this.#refused(refusal);
      return;
    }
    attempt.cancel('timeout');
    this.onFailed(attempt, tooLate(attempt.endpoint, perTryMs));
  }

  onStale(attempt: Attempt): void {
    this.#hasReplayed = true;
    this.#leave(attempt);
    this.#tryOn(attempt.pick, this.#parts.runtime.clock.now(), true);
  }

  onBroken(attempt: Attempt, failure: AttemptFailure): void {
    attempt.flag = failure.flag;
    attempt.reason = failure.what;
    this.#parts.owner.onBroken(failure);
  }

  onInvalid(error: unknown): void {
    this.#parts.owner.onInvalid(error);
  }

  get #isFaulted(): boolean {
    return this.#faulted?.isEmpty === false;
  }

  get #isIdle(): boolean {
    return this.#running.length === 0 && this.#pause === undefined && !this.#isFaulted;
  }

  /** gRFC A6, transparent retries: once, for a call that no server has looked at, whatever the policy says. */
  #isUnseen(attempt: Attempt, { kind }: AttemptFailure): boolean {
    if (kind !== 'refused-stream' || !this.#parts.options.isGrpc || this.#hasReplayed) return false;
    return bodyObstacle(this.#parts) === undefined && attempt.status === undefined;
  }

  /**
   * A gRPC call, or one to a cluster that picks the first it can connect to, goes on at another host where this one could not
   * be connected to, or lost the connection before it had any of the request; not counted by anybody (grpc-go, grpcio and
   * grpc-js pick among those that are connected).
   */
  #goesElsewhere(attempt: Attempt, failure: AttemptFailure): boolean {
    if (!this.#parts.options.isGrpc && !keepsToOne(attempt.pick.upstream.config())) return false;
    if (attempt.hasLeft || !isUnreached(failure)) return false;
    if (failure.cause instanceof ConnectFailure) attempt.pick.unreachable();
    if (bodyObstacle(this.#parts) !== undefined) return false;
    const pick = this.#triedHosts().elsewhere(this.#way, attempt.pick);
    if (pick === undefined) return false;
    this.#unseen++;
    this.#leave(attempt);
    this.#tryOn(pick, this.#parts.runtime.clock.now(), false);
    return true;
  }

  #win(attempt: Attempt): void {
    const running = this.#running;
    const { story } = this.#parts.owner;
    story.endpoint = attempt.endpoint;
    story.peer = attempt.peer;
    this.#winner = attempt;
    this.#running = NO_ATTEMPTS;
    this.#stopTimers();
    for (const other of running) {
      if (other === attempt) continue;
      other.cancel();
      this.#record(other);
    }
    this.#giveBack();
  }

  /** True when the call goes on without this attempt, which is not among the `others` that are under way. */
  #goesOn(verdict: RetryVerdict, others: number, flag?: ResponseFlag): boolean {
    if (verdict.kind === 'final') return false;
    if (verdict.kind === 'retry') {
      this.#tryAfter(verdict.afterMs);
      return true;
    }
    const goesOn = others > 0 || this.#pause !== undefined || this.#isFaulted;
    if (!goesOn && flag !== undefined) this.#parts.owner.story.raise(flag);
    this.#refused(verdict.refusal);
    return goesOn;
  }

  #refused(refusal: RetryRefusal): void {
    const { story } = this.#parts.owner;
    const { target, cluster } = story;
    story.retryRefused = refusal;
    this.#parts.runtime.emit({ kind: 'retry-refused', target, cluster, reason: refusal });
    const flag = REFUSAL_FLAGS[refusal];
    if (flag !== undefined) story.raise(flag);
  }

  #tryAfter(ms: number): void {
    this.#pause?.cancel();
    this.#pause = awaitedTimer(this.#parts.runtime.clock, ms, () => {
      this.#pause = undefined;
      this.#next();
    });
  }

  /** The next attempt, past its faults. */
  #next(): void {
    const { fault, request, runtime, terms } = this.#parts;
    if (fault === undefined) {
      this.#tryAgain();
      return;
    }
    this.#faulted ??= new FaultedAttempts(this);
    this.#faulted.begin({ policy: fault, request, cluster: this.#way.cluster.name, runtime }, terms.perTryMs);
  }

  raise(flag: ResponseFlag): void {
    this.#parts.owner.story.raise(flag);
  }

  onUnfaulted(): void {
    this.#tryAgain();
  }

  onFaulted(beganMs: number, { flag, reply, kind }: FaultEnd): void {
    const { owner, terms, runtime } = this.#parts;
    this.#count++;
    const endMs = runtime.clock.now() - owner.story.timings.startMs;
    const startMs = beganMs - owner.story.timings.startMs;
    owner.story.tried({ endpoint: '', startMs, endMs, status: reply.status, flag, reused: false });
    if (terms.retry !== undefined) {
      const retries = this.#retriesOf(terms.retry);
      const obstacle = bodyObstacle(this.#parts);
      const verdict =
        kind === 'answer'
          ? retries.afterAnswer(reply, runtime.clock.wallTime(), obstacle)
          : retries.afterReset(kind, false, obstacle);
      if (this.#goesOn(verdict, this.#running.length, flag)) return;
    }
    if (this.#isIdle) this.#giveUp(reply);
  }

  #tryAgain(): void {
    const { terms, owner } = this.#parts;
    const { retry } = terms;
    if (this.#count > 0 && retry?.repickCluster) this.#way = owner.repick();
    const pick = this.#triedHosts().again(this.#way, this.#count === 0);
    if (pick.kind === 'pick') this.#tryOn(pick, this.#parts.runtime.clock.now(), false);
    else if (this.#isIdle) this.#giveUp(pickFailure(pick));
  }

  #tryOn(pick: HostPick, nowMs: number, isFresh: boolean): void {
    const { terms, request, options, runtime } = this.#parts;
    const { action, isEndToEnd } = this.#way;
    const { upstream } = pick;
    const { cluster } = upstream.config();
    const { perTryMs, perTryIdleMs } = terms;
    const tls = tlsFor({ cluster, endpoint: pick.host.endpoint }, request, options, isEndToEnd);
    // A peer that could not be taken for true is never a reason to go out in clear.
    if (tls === undefined && this.#refusal !== undefined) {
      this.#withdraw(pick, this.#refusal);
      return;
    }
    const attempt = new Attempt(
      {
        owner: this,
        cluster,
        tls,
        breaker: upstream.breaker(action.priority),
        connections: runtime.connections,
        patience: runtime,
        perTryMs,
        perTryIdleMs,
        isGrpc: options.isGrpc === true,
      },
      pick,
      nowMs,
    );
    if (!isFresh) this.#count++;
    if (options.isGrpc) attempt.previous = this.#count - 1 - this.#unseen;
    if (this.#running.length === 0) this.#running = [attempt];
    else this.#running.push(attempt);
    if (remembersHosts(terms.retry)) this.#triedHosts().add(pick);
    attempt.start(isFresh);
    if (!this.#isOver) this.#hedging?.arm();
  }

  #triedHosts(): TriedHosts {
    this.#hosts ??= new TriedHosts(this.#parts.terms.retry);
    return this.#hosts;
  }

  #withdraw(pick: HostPick, failure: AttemptFailure): void {
    pick.outcome({});
    pick.release();
    if (this.#isIdle) this.#giveUp(replyFor(failure, true));
  }

  #hedgingBy(policy: HedgePolicy): Hedging {
    const { way, runtime } = this.#parts;
    return new Hedging({
      policy,
      clock: runtime.clock,
      quota: this.#quota,
      p95Ms: () => way.upstream.p95Ms(),
      isRefused: () => this.#pause !== undefined || hedgeObstacle(this.#parts) !== undefined,
      begin: () => this.#next(),
    });
  }

  /** One more attempt beside the one that is late; or why there is none, if one was asked for (Envoy onSoftPerTryTimeout). */
  #hedgeLate(): RetryRefusal | undefined {
    const { terms } = this.#parts;
    if (this.#pause !== undefined || terms.retry === undefined) return undefined;
    const verdict = this.#retriesOf(terms.retry).hedge(hedgeObstacle(this.#parts));
    if (verdict.kind === 'refused') return verdict.refusal;
    if (verdict.kind === 'retry') this.#tryAfter(verdict.afterMs);
    return undefined;
  }

  #retriesOf(policy: NonNullable<CallTerms['retry']>): Retries {
    const { request, runtime } = this.#parts;
    this.#retries ??= new Retries({ policy, request, quota: this.#quota, random: runtime.random });
    return this.#retries;
  }

  #giveUp(reply: LocalReply): void {
    this.#stopTimers();
    this.#parts.owner.onGivenUp(reply);
  }

  #stopTimers(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#hedging?.stop();
    this.#faulted?.close();
  }

  /** What was taken for retries and hedges. */
  #giveBack(): void {
    this.#retries?.close();
    this.#hedging?.close();
  }

  #drop(attempt: Attempt): void {
    this.#leave(attempt);
    attempt.cancel();
  }

  #leave(attempt: Attempt): void {
    this.#running.splice(this.#running.indexOf(attempt), 1);
    this.#record(attempt);
  }

  #record(attempt: Attempt, nowMs = this.#parts.runtime.clock.now()): void {
    const { story } = this.#parts.owner;
    story.endpoint = attempt.endpoint;
    story.peer = attempt.peer;
    if (attempt.grpcStatus !== undefined) story.grpcStatus = attempt.grpcStatus;
    story.tried(attempt.tell(story.timings.startMs, nowMs));
  }
}

/** gRFC A6, exposed retry metadata: server and client are told how many attempts there have been before. */
const PREVIOUS = 'grpc-previous-rpc-attempts';

/** Never added to. */
const NO_ATTEMPTS: Attempt[] = [];

/** Envoy Filter::onUpstreamHeaders and onUpstreamReset: RetryStatus::NoRetryLimitExceeded, NoOverflow. */
const REFUSAL_FLAGS = { limit: 'URX', overflow: 'UO', body: undefined, method: undefined } as const;
