import type { Duplex } from 'node:stream';
import type { Timer } from '../clock.ts';
import type { WireRequest } from '../connection/exchange.ts';
import type { RetryRefusal } from '../model/events.ts';
import type { MeshRequest } from '../model/request.ts';
import type { Breaker } from '../upstream/breaker.ts';
import type { Host } from '../upstream/host.ts';
import type { Pick as HostPick, PickFailure } from '../upstream/pick.ts';
import { Attempt, type AttemptOwner, type ResponseHead } from './attempt.ts';
import type { BodySource } from './body-source.ts';
import { type AttemptFailure, replyFor, tooLate } from './failure.ts';
import { type LocalReply, noHealthyUpstream, overflow } from './local-reply.ts';
import { tlsFor, type Way } from './plan.ts';
import { isRepeatable } from './retry/repeatable.ts';
import { conditionsOf, Retries, type RetryVerdict } from './retry/retries.ts';
import type { LiveStory } from './story.ts';
import type { CallTerms } from './terms.ts';
import type { CallOptions, CallRuntime } from './types.ts';

/** The call that attempts are made for. */
export interface TriesOwner
  extends Pick<AttemptOwner, 'onSent' | 'onInformational' | 'onData' | 'onEnd' | 'onInvalid'> {
  readonly story: LiveStory;
  /** What to send: `number` counts from 1, `hostname` is the endpoint's. */
  requestFor(number: number, hostname: string | undefined): WireRequest;
  /** The answer the caller gets; the other attempts are gone. */
  onAnswer(head: ResponseHead): void;
  onSwitched(head: ResponseHead, socket: Duplex): void;
  /** No attempt is left. */
  onGivenUp(reply: LocalReply): void;
  /** The answer's body broke off. */
  onBroken(failure: AttemptFailure): void;
}

export interface TriesParts {
  readonly owner: TriesOwner;
  readonly runtime: CallRuntime;
  readonly way: Way;
  readonly terms: CallTerms;
  readonly request: MeshRequest;
  readonly source: BodySource | undefined;
  readonly options: CallOptions;
}

/** The attempts of one call: the first, its retries, and hedges beside it. */
export class Tries implements AttemptOwner {
  readonly #parts: TriesParts;
  readonly #breaker: Breaker;
  #retries: Retries | undefined;
  /** Under way, not answered yet. */
  readonly #running: Attempt[] = [];
  /** The one whose answer the caller gets. */
  #winner: Attempt | undefined;
  #tried: Host[] | undefined;
  #count = 0;
  /** Until the next attempt. */
  #pause: Timer | undefined;
  #hedging: Timer | undefined;
  #hedges = 0;
  #hasReplayed = false;
  #isOver = false;

  constructor(parts: TriesParts) {
    this.#parts = parts;
    this.#breaker = parts.way.upstream.breaker(parts.way.action.priority);
  }

  /** The first attempt; undefined, or why there can be none. */
  start(nowMs: number): PickFailure | undefined {
    const { upstream, context } = this.#parts.way;
    const pick = upstream.pick(context);
    if (pick.kind === 'failure') return pick;
    this.#tryOn(pick, nowMs, false);
    return undefined;
  }

  /** Ends every attempt. `error` counts against hosts that have not answered. */
  end(error?: 'timeout'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimers();
    for (const attempt of this.#running.splice(0)) {
      attempt.cancel(error);
      if (error !== undefined) attempt.flag = 'UT';
      this.#record(attempt);
    }
    this.#winner?.cancel();
    this.#retries?.close();
  }

  /** The caller has its answer, or the call is over: what the winner has to tell. */
  close(nowMs: number): void {
    this.#isOver = true;
    this.#retries?.close();
    if (this.#winner !== undefined) this.#record(this.#winner, nowMs);
  }

  resume(): void {
    this.#winner?.resume();
  }

  requestFor({ pick }: Attempt): WireRequest {
    return this.#parts.owner.requestFor(this.#count, pick.endpoint.hostname);
  }

  get mayReplay(): boolean {
    const { source, request, options } = this.#parts;
    return !this.#hasReplayed && source?.isReplayable !== false && isRepeatable(request, options);
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
    const { retry } = this.#parts.terms;
    if (retry !== undefined && (head.status >= 400 || !conditionsOf(retry).onlyErrors)) {
      const { clock } = this.#parts.runtime;
      const verdict = this.#retriesOf(retry).afterAnswer(head, clock.wallTime(), this.#obstacle(attempt));
      if (this.#goesOn(verdict, attempt)) {
        attempt.cancel();
        return;
      }
    }
    this.#win(attempt);
    this.#parts.owner.onAnswer(head);
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
    attempt.flag = failure.flag;
    const { retry } = this.#parts.terms;
    if (retry !== undefined) {
      const obstacle = failure.kind === 'refused-stream' ? this.#bodyObstacle() : this.#obstacle(attempt);
      const verdict = this.#retriesOf(retry).afterReset(failure.kind, attempt.hasLeft, obstacle);
      if (this.#goesOn(verdict, attempt, failure)) return;
    }
    this.#leave(attempt);
    if (this.#isIdle) this.#giveUp(replyFor(failure, this.#count > 1 || this.#hasReplayed));
  }

  onLate(attempt: Attempt): void {
    const { perTryMs, hedge } = this.#parts.terms;
    if (hedge?.onPerTryTimeout) {
      const refusal = this.#hedge();
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
    this.#parts.owner.onBroken(failure);
  }

  onInvalid(error: unknown): void {
    this.#parts.owner.onInvalid(error);
  }

  get #isIdle(): boolean {
    return this.#running.length === 0 && this.#pause === undefined;
  }

  #win(attempt: Attempt): void {
    this.#winner = attempt;
    this.#running.splice(this.#running.indexOf(attempt), 1);
    this.#stopTimers();
    for (const other of this.#running.splice(0)) {
      other.cancel();
      this.#record(other);
    }
    this.#retries?.close();
  }

  /** True when the call goes on without this attempt. */
  #goesOn(verdict: RetryVerdict, attempt: Attempt, failure?: AttemptFailure): boolean {
    if (verdict.kind === 'final') return false;
    if (verdict.kind === 'retry') {
      this.#leave(attempt);
      this.#tryAfter(verdict.afterMs);
      return true;
    }
    if (this.#running.length > 1 || this.#pause !== undefined) {
      this.#refused(verdict.refusal);
      this.#leave(attempt);
      return true;
    }
    if (failure !== undefined) this.#parts.owner.story.raise(failure.flag);
    this.#refused(verdict.refusal);
    return false;
  }

  #refused(refusal: RetryRefusal): void {
    const { story } = this.#parts.owner;
    story.retryRefused = refusal;
    const flag = REFUSAL_FLAGS[refusal];
    if (flag !== undefined) story.raise(flag);
  }

  #tryAfter(ms: number): void {
    this.#pause?.cancel();
    this.#pause = this.#parts.runtime.clock.after(ms, () => {
      this.#pause = undefined;
      this.#tryAgain();
    });
  }

  #tryAgain(): void {
    const { way, terms } = this.#parts;
    const { retry } = terms;
    const tried = this.#tried ?? [];
    const pick = way.upstream.pick({
      ...way.context,
      ...(retry?.previousHosts && { exclude: (host: Host) => tried.includes(host) }),
      ...(retry && { selectionAttempts: retry.hostSelectionAttempts }),
      ...(retry?.previousPriorities && { triedPriorities: tried.map(({ priority }) => priority) }),
    });
    if (pick.kind === 'pick') this.#tryOn(pick, this.#parts.runtime.clock.now(), false);
    else if (this.#isIdle) this.#giveUp(pickFailure(pick));
  }

  #tryOn(pick: HostPick, nowMs: number, isFresh: boolean): void {
    const { way, terms, request, options, runtime } = this.#parts;
    const { cluster } = way.upstream.config();
    const tls = tlsFor(cluster, request, options);
    const { connections } = runtime;
    const { perTryMs } = terms;
    const parts = { owner: this, pick, cluster, tls, breaker: this.#breaker, connections, patience: runtime, perTryMs };
    const attempt = new Attempt(parts, nowMs);
    if (!isFresh) this.#count++;
    this.#running.push(attempt);
    if (terms.retry?.previousHosts || terms.retry?.previousPriorities)
      this.#tried = [...(this.#tried ?? []), pick.host];
    attempt.start(isFresh);
    this.#hedgeLater();
  }

  #hedgeLater(): void {
    const { terms, runtime } = this.#parts;
    const { delay: ms, maxHedges = 1 } = terms.hedge ?? NO_HEDGE;
    if (ms === undefined || ms === 'p95' || this.#hedges >= maxHedges) return;
    this.#hedging?.cancel();
    this.#hedging = runtime.clock.after(ms, () => this.#hedge());
  }

  /** One more attempt beside those that go on; or why there is none, if one was asked for. */
  #hedge(): RetryRefusal | undefined {
    const { source, request, options, terms } = this.#parts;
    if (this.#pause !== undefined || terms.retry === undefined) return undefined;
    const isWhole = source?.isWhole !== false;
    const obstacle = isWhole ? (isRepeatable(request, options) ? undefined : 'method') : 'body';
    const verdict = this.#retriesOf(terms.retry).hedge(obstacle);
    if (verdict.kind === 'refused') return verdict.refusal;
    if (verdict.kind === 'final') return undefined;
    this.#hedges++;
    this.#tryAfter(terms.hedge?.onPerTryTimeout ? verdict.afterMs : 0);
    return undefined;
  }

  #retriesOf(policy: NonNullable<CallTerms['retry']>): Retries {
    const { request, runtime } = this.#parts;
    this.#retries ??= new Retries({ policy, request, quota: this.#breaker, random: runtime.random });
    return this.#retries;
  }

  /** Why the request cannot be sent once more. */
  #obstacle(attempt: Attempt): RetryRefusal | undefined {
    const { request, options } = this.#parts;
    if (attempt.hasLeft && !isRepeatable(request, options)) return 'method';
    return this.#bodyObstacle();
  }

  #bodyObstacle(): RetryRefusal | undefined {
    return this.#parts.source?.isReplayable === false ? 'body' : undefined;
  }

  #giveUp(reply: LocalReply): void {
    this.#stopTimers();
    this.#parts.owner.onGivenUp(reply);
  }

  #stopTimers(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#hedging?.cancel();
  }

  #leave(attempt: Attempt): void {
    this.#running.splice(this.#running.indexOf(attempt), 1);
    this.#record(attempt);
  }

  #record(attempt: Attempt, nowMs = this.#parts.runtime.clock.now()): void {
    const { story } = this.#parts.owner;
    story.endpoint = attempt.endpoint;
    story.attempts.push(attempt.tell(story.timings.startMs, nowMs));
  }
}

export const pickFailure = ({ flag, reason }: PickFailure): LocalReply =>
  flag === 'UO' ? overflow(reason) : noHealthyUpstream(reason);

const NO_HEDGE = { delay: undefined, maxHedges: 0 };

/** Envoy Filter::onUpstreamHeaders and onUpstreamReset: RetryStatus::NoRetryLimitExceeded, NoOverflow. */
const REFUSAL_FLAGS = { limit: 'URX', overflow: 'UO', body: undefined, method: undefined } as const;
