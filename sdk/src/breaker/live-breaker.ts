import { MeshError } from '../errors.ts';
import type { MeshRequestInit, MeshResponse } from '../http/call-policy.ts';
import { dialledOf } from '../http/dialled.ts';
import type { MeshFetch } from '../http/fetch/mesh-fetch.ts';
import type {
  Breaker,
  BreakerEvent,
  BreakerOptions,
  BreakerState,
  BreakerStats,
  BrokenRequest,
  FailureReason,
} from './breaker.ts';
import type { Circuit, CircuitCall } from './circuit.ts';
import { FailedAnswer } from './failed-answer.ts';

/** What a breaker needs of those it stands among. */
export interface BreakerHome {
  readonly fetch: MeshFetch;
  /** The breaker is about to be used: others may have to make room. */
  admit(breaker: LiveBreaker): Promise<(emit: (event: BreakerEvent) => void) => Circuit>;
  touch(breaker: LiveBreaker): void;
  remove(breaker: LiveBreaker): void;
}

const NOTHING_YET: BreakerStats = {
  state: 'closed',
  calls: 0,
  successes: 0,
  failures: 0,
  timeouts: 0,
  rejects: 0,
  fallbacks: 0,
};

/** A breaker as the application holds it; its circuit comes with its first call and goes when others need the room. */
export class LiveBreaker implements Breaker {
  readonly host: string;
  readonly options: BreakerOptions;
  readonly #home: BreakerHome;
  readonly #listeners = new Set<(event: BreakerEvent) => void>();
  #circuit: Circuit | undefined;
  #isRemoved = false;

  constructor(host: string, options: BreakerOptions, home: BreakerHome) {
    this.host = host;
    this.options = options;
    this.#home = home;
  }

  get state(): BreakerState {
    return this.stats().state;
  }

  async fetch(input: string | URL | Request, init?: MeshRequestInit): Promise<MeshResponse> {
    const request: BrokenRequest = { url: this.#ownUrl(input), input, init };
    const circuit = await this.#ready();
    if (circuit === undefined) return this.#home.fetch(input, init);
    const call = new GuardedCall(this.#home.fetch, request, this.options);
    try {
      return await circuit.run(call);
    } catch (error) {
      if (error instanceof FailedAnswer) return error.response;
      throw error;
    }
  }

  stats(): BreakerStats {
    return this.#circuit?.stats() ?? NOTHING_YET;
  }

  on(listener: (event: BreakerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  remove(): void {
    this.#isRemoved = true;
    this.#home.remove(this);
    this.forget();
  }

  /** Begins anew, closed, with the next call. */
  forget(): void {
    this.#circuit?.stop();
    this.#circuit = undefined;
  }

  /** Undefined: there is no breaker any more. */
  async #ready(): Promise<Circuit | undefined> {
    if (this.#isRemoved) return undefined;
    if (this.#circuit !== undefined) {
      this.#home.touch(this);
      return this.#circuit;
    }
    const make = await this.#home.admit(this);
    // Other calls may have waited as well.
    if (!this.#isRemoved) this.#circuit ??= make((event) => this.#tell(event));
    return this.#circuit;
  }

  /** opossum must not see what a listener throws: it would take it for the call's. */
  #tell(event: BreakerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)), { code: 'INMESH_LISTENER' });
      }
    }
  }

  #ownUrl(input: string | URL | Request): string {
    const url = new URL(input instanceof URL || typeof input === 'string' ? input : input.url);
    const { target } = dialledOf(url);
    if (target === this.host) return url.href;
    throw new MeshError('MESH_CONFIG_INVALID', `the breaker of ${this.host} was asked for ${target}`, {
      hint: 'each upstream has a breaker of its own: mesh.breaker(host)',
    });
  }
}

/** One call: what is sent, and what is made of how it went. */
class GuardedCall implements CircuitCall {
  readonly #send: MeshFetch;
  readonly #request: BrokenRequest;
  readonly #isFailure: (response: MeshResponse) => boolean;
  readonly #signal: AbortSignal | undefined;
  /** Ends the call when its time is over. */
  readonly #timeout = new AbortController();
  readonly fallback?: (reason: FailureReason) => Promise<MeshResponse>;

  constructor(send: MeshFetch, request: BrokenRequest, { isFailure = isServerError, fallback }: BreakerOptions) {
    this.#send = send;
    this.#request = request;
    this.#isFailure = isFailure;
    const { input, init } = request;
    this.#signal = init?.signal ?? (typeof input === 'string' || input instanceof URL ? undefined : input.signal);
    if (fallback !== undefined) this.fallback = (reason) => this.#answerFrom(fallback, reason);
  }

  async send(): Promise<MeshResponse> {
    const { input, init } = this.#request;
    const { signal: late } = this.#timeout;
    const signal = this.#signal === undefined ? late : AbortSignal.any([this.#signal, late]);
    const response = await this.#send(input, { ...init, signal });
    if (late.aborted || !this.#isFailure(response)) return response;
    throw new FailedAnswer(response);
  }

  cancel(reason: unknown): void {
    this.#timeout.abort(reason);
  }

  isAborted(): boolean {
    return this.#signal?.aborted === true;
  }

  /** Input that fetch refuses is a TypeError without a cause; whatever the network does has one. */
  isHarmless(error: unknown): boolean {
    if (error instanceof MeshError) return error.status !== undefined && error.status < 500;
    return error instanceof TypeError && error.cause === undefined;
  }

  async #answerFrom(fallback: NonNullable<BreakerOptions['fallback']>, reason: FailureReason): Promise<MeshResponse> {
    const response = await fallback(this.#request, reason);
    if (reason.kind === 'answer' && reason.response !== response && !reason.response.bodyUsed) {
      // Its connection is free again.
      reason.response.body?.cancel().catch(() => {});
    }
    return response;
  }
}

const isServerError = ({ status }: MeshResponse): boolean => status >= 500;
