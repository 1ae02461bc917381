import type { Timer } from '../../clock.ts';
import type { ResponseFlag } from '../../model/events.ts';
import { replyFor, tooLate } from '../failure.ts';
import { faultReply, type LocalReply } from '../local-reply.ts';
import { Injection, type InjectionParts } from './injection.ts';

/** How a fault ended an attempt: by an answer in the place of the host's, or by taking longer than an attempt may. */
export interface FaultEnd {
  readonly kind: 'answer' | 'per-try-timeout';
  readonly flag: ResponseFlag;
  readonly reply: LocalReply;
}

interface Faulted {
  raise(flag: ResponseFlag): void;
  goOn(): void;
  onEnd(end: FaultEnd): void;
}

/** The faults of one attempt (FaultPolicy.scope `attempt`): what they do is retried as if a host had done it. */
export class AttemptFault {
  readonly startMs: number;
  readonly #parts: InjectionParts;
  readonly #perTryMs: number;
  readonly #on: Faulted;
  readonly #injection: Injection;
  #late: Timer | undefined;

  constructor(parts: InjectionParts, perTryMs: number, on: Faulted) {
    this.startMs = parts.runtime.clock.now();
    this.#parts = parts;
    this.#perTryMs = perTryMs;
    this.#on = on;
    this.#injection = new Injection(parts, {
      raise: (flag) => on.raise(flag),
      held: (ms) => this.#limit(ms),
      goOn: () => on.goOn(),
      abort: (abort) => on.onEnd({ kind: 'answer', flag: 'FI', reply: faultReply(abort) }),
    });
  }

  begin(): void {
    this.#limit(this.#injection.begin());
  }

  close(): void {
    this.#late?.cancel();
    this.#injection.close();
  }

  #limit(heldMs: number): void {
    const { clock } = this.#parts.runtime;
    const leftMs = this.#perTryMs - (clock.now() - this.startMs);
    if (this.#perTryMs === 0 || heldMs < leftMs) return;
    this.#late = clock.after(Math.max(0, leftMs), () => {
      const failure = tooLate('delayed by a fault', this.#perTryMs);
      this.#on.onEnd({ kind: 'per-try-timeout', flag: 'UT', reply: replyFor(failure, false) });
    });
  }
}
