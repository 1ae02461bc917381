import type { EventEmitter } from 'node:events';
import type CircuitBreaker from 'opossum';
import { MeshError } from '../errors.ts';
import type { MeshResponse } from '../http/call-policy.ts';
import type { BreakerEvent, BreakerStats, FailureReason } from './breaker.ts';
import { FailedAnswer } from './failed-answer.ts';

/** The only file that touches opossum. */

/** One call through a circuit. */
export interface CircuitCall {
  /** Rejects with a FailedAnswer where the answer is a failure. */
  send(): Promise<MeshResponse>;
  /** Its time is over. */
  cancel(reason: unknown): void;
  /** The caller gave it up: it says nothing about the upstream. */
  isAborted(): boolean;
  /** This error says nothing against the upstream. */
  isHarmless(error: unknown): boolean;
  /** Present where there is a fallback function. */
  readonly fallback?: (reason: FailureReason) => Promise<MeshResponse>;
}

export interface CircuitParts {
  readonly host: string;
  readonly timeoutMs: number;
  readonly errorThresholdPercent: number;
  readonly volumeThreshold: number;
  readonly resetMs: number;
  readonly hasFallback: boolean;
  /** Says when a tenth of the window is over. */
  readonly rotation: EventEmitter;
  readonly emit: (event: BreakerEvent) => void;
}

/** The state machine and the counts of one breaker. */
export interface Circuit {
  /** Without a fallback it rejects with a FailedAnswer, a MeshError, or what `send` rejected with. */
  run(call: CircuitCall): Promise<MeshResponse>;
  stats(): BreakerStats;
  /** Calls under way end as they may, unheard. */
  stop(): void;
}

/** opossum is loaded for the first call behind a breaker. */
export async function loadCircuits(): Promise<(parts: CircuitParts) => Circuit> {
  const { default: opossum } = await import('opossum');
  return (parts) => new OpossumCircuit(opossum, parts);
}

type Opossum = typeof CircuitBreaker;

class OpossumCircuit implements Circuit {
  readonly #opossum: Opossum;
  readonly #breaker: CircuitBreaker<CircuitCall, MeshResponse>;
  readonly #parts: CircuitParts;
  /** One reason an error, whoever hears of it. */
  readonly #reasons = new WeakMap<object, FailureReason>();
  /** What opossum is about to call a success was given up by its caller. */
  #isAbort = false;

  constructor(opossum: Opossum, parts: CircuitParts) {
    this.#opossum = opossum;
    this.#parts = parts;
    this.#breaker = new opossum((call: CircuitCall) => call.send(), {
      timeout: parts.timeoutMs,
      errorThresholdPercentage: parts.errorThresholdPercent,
      resetTimeout: parts.resetMs,
      volumeThreshold: parts.volumeThreshold,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: parts.rotation,
      errorFilter: (error, call) => this.#isFiltered(error, call),
    });
    this.#countOnly();
    this.#listen();
    if (parts.hasFallback) this.#breaker.fallback((call, error) => this.#fallBack(call, error));
  }

  async run(call: CircuitCall): Promise<MeshResponse> {
    try {
      return await this.#breaker.fire(call);
    } catch (error) {
      if (error instanceof FailedAnswer) throw error;
      const reason = this.#reasonOf(error);
      if (reason.kind === 'timeout') call.cancel(reason.error);
      throw reason.kind === 'answer' ? error : reason.error;
    }
  }

  stats(): BreakerStats {
    const { opened, halfOpen, stats } = this.#breaker;
    const { fires, successes, failures, timeouts, rejects, fallbacks } = stats;
    const state = opened ? 'open' : halfOpen ? 'half-open' : 'closed';
    return { state, calls: fires, successes, failures, timeouts, rejects, fallbacks };
  }

  stop(): void {
    this.#breaker.shutdown();
  }

  /** opossum keeps the duration of every call of the window, percentiles or not: as many as there are calls. */
  #countOnly(): void {
    const { status } = this.#breaker;
    status.increment = (property) => {
      const [bucket] = status.window;
      if (bucket !== undefined && !(this.#isAbort && property === 'successes')) bucket[property]++;
    };
  }

  /** opossum takes a filtered error for a success: a call given up while half-open must not close the breaker. */
  #isFiltered(error: unknown, call: CircuitCall): boolean {
    if (!call.isAborted()) return call.isHarmless(error);
    if (this.#breaker.halfOpen) this.#breaker.open();
    this.#isAbort = true;
    return true;
  }

  #listen(): void {
    const { host, emit } = this.#parts;
    this.#breaker.on('open', () => emit({ kind: 'open', host }));
    this.#breaker.on('halfOpen', () => emit({ kind: 'half-open', host }));
    this.#breaker.on('close', () => emit({ kind: 'close', host }));
    this.#breaker.on('reject', () => emit({ kind: 'reject', host }));
    this.#breaker.on('success', (_result, durationMs: number) => {
      if (!this.#isAbort) emit({ kind: 'success', host, durationMs });
      this.#isAbort = false;
    });
    this.#breaker.on('timeout', (_error, durationMs: number) => emit({ kind: 'timeout', host, durationMs }));
    this.#breaker.on('failure', (error: unknown, durationMs: number) =>
      emit({ kind: 'failure', host, durationMs, reason: this.#reasonOf(error) }),
    );
  }

  async #fallBack(call: CircuitCall, error: unknown): Promise<MeshResponse> {
    const reason = this.#reasonOf(error);
    if (reason.kind === 'timeout') call.cancel(reason.error);
    this.#parts.emit({ kind: 'fallback', host: this.#parts.host, reason });
    if (call.fallback === undefined) throw error;
    return call.fallback(reason);
  }

  #reasonOf(error: unknown): FailureReason {
    if (error instanceof FailedAnswer) return { kind: 'answer', response: error.response };
    if (!(error instanceof Error) || !this.#opossum.isOurError(error)) return { kind: 'error', error };
    let reason = this.#reasons.get(error);
    if (reason === undefined) {
      reason = this.#ownReason(error);
      this.#reasons.set(error, reason);
    }
    return reason;
  }

  #ownReason(error: Error): FailureReason {
    const { host, timeoutMs } = this.#parts;
    if ('code' in error && error.code === 'ETIMEDOUT') {
      return {
        kind: 'timeout',
        error: new MeshError('MESH_TIMEOUT', `${host}: no answer within ${timeoutMs} ms`, LATE),
      };
    }
    return { kind: 'open', error: new MeshError('MESH_BREAKER_OPEN', `the breaker of ${host} is open`, OPEN) };
  }
}

const LATE = { status: 504, hint: "timeoutMs of the host's breaker sets this" };
const OPEN = { status: 503, hint: 'too many calls failed lately; a fallback of the breaker answers in their place' };
