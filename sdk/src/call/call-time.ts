import type { Timer } from '../clock.ts';
import type { ForwardAction } from '../model/action.ts';
import { patientTimer } from '../wire/late-timer.ts';
import { isGrpcRequest } from './deliver.ts';
import type { HeadsParts } from './heads.ts';
import type { RequestTimes } from './request-head.ts';
import type { CallTerms } from './terms.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** The time a forwarded call has: the caller's deadline, and the route's timeout. */
export class CallTime {
  readonly #parts: HeadsParts;
  readonly #terms: CallTerms;
  readonly #hasWishes: boolean;
  /** Told once, when the call is late. */
  readonly #expire: () => void;
  /** The route's own; 0 = none. */
  readonly #timeoutMs: number;
  #dueMs = NEVER;
  /** When the stream's own limit ends it. */
  #limitMs = NEVER;
  #timer: Timer | undefined;

  constructor(parts: HeadsParts, action: ForwardAction, terms: CallTerms, hasWishes: boolean, expire: () => void) {
    this.#parts = parts;
    this.#terms = terms;
    this.#hasWishes = hasWishes;
    this.#expire = expire;
    // Envoy FilterUtility::finalTimeout: where the header of a gRPC call counts the route's own time does not.
    const isByHeader = action.grpcTimeoutMaxMs !== undefined && isGrpcRequest(parts.request);
    this.#timeoutMs = isByHeader ? 0 : terms.timeoutMs;
  }

  /** The route's timeout counts from `fromMs`, once all of the request has been sent. */
  setDue(fromMs: number, isSent: boolean): void {
    const { deadlineMs = NEVER } = this.#parts.options;
    this.#dueMs = isSent && this.#timeoutMs > 0 ? Math.min(deadlineMs, fromMs + this.#timeoutMs) : deadlineMs;
  }

  /** gRFC A31: the limit of a gRPC call is part of its deadline, and its server is told of it. */
  limit(fromMs: number, durationMs: number): void {
    if (durationMs > 0) this.#limitMs = fromMs + durationMs;
  }

  isOver(nowMs: number): boolean {
    return this.#dueMs <= nowMs;
  }

  arm(nowMs: number): void {
    if (this.#dueMs === NEVER) return;
    this.#timer?.cancel();
    this.#timer = patientTimer(this.#parts.runtime, this.#dueMs - nowMs, this.#expire, nowMs);
  }

  /** What an attempt tells its peer of it (Envoy FilterUtility::setTimeoutHeaders). */
  tell(nowMs: number): RequestTimes | undefined {
    const perTryMs = this.#isToldPerTry ? this.#terms.perTryMs : 0;
    const hasWishes = this.#hasWishes;
    const dueMs = Math.min(this.#dueMs, this.#limitMs);
    if (dueMs === NEVER && perTryMs === 0) return hasWishes ? { expectedMs: undefined, hasWishes } : undefined;
    const leftMs = dueMs === NEVER ? 0 : dueMs - nowMs;
    const expectedMs = perTryMs > 0 && (leftMs === 0 || perTryMs < leftMs) ? perTryMs : leftMs;
    return { expectedMs: Math.max(1, Math.ceil(expectedMs)), hasWishes };
  }

  /**
   * A try that goes on beside its hedge has the time of the whole call (Envoy per_try_timeout_hedging_enabled). That of a gRPC
   * stream begins when all of it has been sent: its server, who would end it by `grpc-timeout`, cannot be told when that is.
   */
  get #isToldPerTry(): boolean {
    const { options, body } = this.#parts;
    return !this.#terms.hedge?.onPerTryTimeout && !(options.isGrpc && body.kind === 'stream');
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
