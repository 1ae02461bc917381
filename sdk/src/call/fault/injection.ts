import { awaitedTimer, type Timer } from '../../clock.ts';
import type { FaultPolicy } from '../../model/action.ts';
import type { ResponseFlag } from '../../model/events.ts';
import type { MeshRequest } from '../../model/request.ts';
import type { CallRuntime } from '../types.ts';
import { drawAbort, drawDelay, type FaultAbort, faultApplies } from './fault.ts';

/** Faults under way, by policy. */
const active = new WeakMap<FaultPolicy, number>();

export interface InjectionParts {
  readonly policy: FaultPolicy;
  readonly request: MeshRequest;
  readonly cluster: string;
  readonly runtime: Pick<CallRuntime, 'clock' | 'random'>;
}

export interface Injected {
  raise(flag: ResponseFlag): void;
  /** A further fault holds it up, for so many ms more. */
  held?(ms: number): void;
  /** Nothing is in the way of the request, or not any more. Possibly at once. */
  goOn(): void;
  abort(abort: FaultAbort): void;
}

/**
 * The faults of one call, or of one attempt: a delay, then an abort (Envoy FaultFilter), of one filter after the other. `close`
 * gives back what it counts.
 */
export class Injection {
  readonly #parts: InjectionParts;
  readonly #on: Injected;
  #timer: Timer | undefined;
  /** Those that have done something. */
  readonly #active: FaultPolicy[] = [];

  constructor(parts: InjectionParts, on: Injected) {
    this.#parts = parts;
    this.#on = on;
  }

  /** How long the request is held up, ms: by the first fault that does. */
  begin(): number {
    return this.#enter(this.#parts.policy);
  }

  close(): void {
    this.#timer?.cancel();
    for (const policy of this.#active.splice(0)) active.set(policy, (active.get(policy) ?? 1) - 1);
  }

  #enter(policy: FaultPolicy): number {
    const { request, cluster, runtime } = this.#parts;
    const ms = faultApplies(policy, request, cluster) ? drawDelay(policy, request, runtime.random) : undefined;
    if (ms === undefined || !this.#take(policy)) return this.#afterDelay(policy);
    this.#on.raise('DI');
    this.#timer = awaitedTimer(runtime.clock, ms, () => {
      const moreMs = this.#afterDelay(policy);
      if (moreMs > 0) this.#on.held?.(moreMs);
    });
    return ms;
  }

  #afterDelay(policy: FaultPolicy): number {
    const { request, cluster, runtime } = this.#parts;
    const abort = faultApplies(policy, request, cluster) ? drawAbort(policy, request, runtime.random) : undefined;
    if (abort !== undefined && this.#take(policy)) {
      this.#on.raise('FI');
      this.#on.abort(abort);
      return 0;
    }
    if (policy.next !== undefined) return this.#enter(policy.next);
    this.#on.goOn();
    return 0;
  }

  /** Envoy FaultFilter::tryIncActiveFaults: a delay and its abort are one fault. */
  #take(policy: FaultPolicy): boolean {
    if (this.#active.includes(policy)) return true;
    const count = active.get(policy) ?? 0;
    if (count >= (policy.maxActive ?? Number.POSITIVE_INFINITY)) return false;
    active.set(policy, count + 1);
    this.#active.push(policy);
    return true;
  }
}
