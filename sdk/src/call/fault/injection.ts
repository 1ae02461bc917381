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
  /** Nothing is in the way of the request, or not any more. Possibly at once. */
  goOn(): void;
  abort(abort: FaultAbort): void;
}

/** The faults of one call, or of one attempt: a delay, then an abort (Envoy FaultFilter). `close` gives back what it counts. */
export class Injection {
  readonly #parts: InjectionParts;
  readonly #on: Injected;
  #timer: Timer | undefined;
  #isActive = false;

  constructor(parts: InjectionParts, on: Injected) {
    this.#parts = parts;
    this.#on = on;
  }

  /** How long the request is held up, ms. */
  begin(): number {
    const { policy, request, cluster, runtime } = this.#parts;
    const ms = faultApplies(policy, request, cluster) ? drawDelay(policy, request, runtime.random) : undefined;
    if (ms === undefined || !this.#take()) {
      this.#afterDelay();
      return 0;
    }
    this.#on.raise('DI');
    this.#timer = awaitedTimer(runtime.clock, ms, () => this.#afterDelay());
    return ms;
  }

  close(): void {
    this.#timer?.cancel();
    if (!this.#isActive) return;
    this.#isActive = false;
    const { policy } = this.#parts;
    active.set(policy, (active.get(policy) ?? 1) - 1);
  }

  #afterDelay(): void {
    const { policy, request, cluster, runtime } = this.#parts;
    const abort = faultApplies(policy, request, cluster) ? drawAbort(policy, request, runtime.random) : undefined;
    if (abort === undefined || !this.#take()) {
      this.#on.goOn();
      return;
    }
    this.#on.raise('FI');
    this.#on.abort(abort);
  }

  /** Envoy FaultFilter::tryIncActiveFaults: a delay and its abort are one fault. */
  #take(): boolean {
    if (this.#isActive) return true;
    const { policy } = this.#parts;
    const count = active.get(policy) ?? 0;
    if (count >= (policy.maxActive ?? Number.POSITIVE_INFINITY)) return false;
    active.set(policy, count + 1);
    this.#isActive = true;
    return true;
  }
}
