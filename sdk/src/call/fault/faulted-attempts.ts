import type { ResponseFlag } from '../../model/events.ts';
import { AttemptFault, type FaultEnd } from './attempt-fault.ts';
import type { InjectionParts } from './injection.ts';

/** The call whose attempts they are. */
export interface FaultedOwner {
  raise(flag: ResponseFlag): void;
  /** The attempt may go out. */
  onUnfaulted(): void;
  /** A fault has ended the attempt in the place of a host. */
  onFaulted(startMs: number, end: FaultEnd): void;
}

/** Attempts of a call that their faults hold up. */
export class FaultedAttempts {
  readonly #owner: FaultedOwner;
  #held: AttemptFault[] = NONE;

  constructor(owner: FaultedOwner) {
    this.#owner = owner;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  begin(parts: InjectionParts, perTryMs: number): void {
    const owner = this.#owner;
    const faulted = new AttemptFault(parts, perTryMs, {
      raise: (flag) => owner.raise(flag),
      goOn: () => {
        this.#drop(faulted);
        owner.onUnfaulted();
      },
      onEnd: (end) => {
        this.#drop(faulted);
        owner.onFaulted(faulted.startMs, end);
      },
    });
    this.#held = [...this.#held, faulted];
    faulted.begin();
  }

  close(): void {
    for (const faulted of this.#held) faulted.close();
    this.#held = NONE;
  }

  #drop(faulted: AttemptFault): void {
    faulted.close();
    this.#held = this.#held.filter((other) => other !== faulted);
  }
}

/** Never added to. */
const NONE: AttemptFault[] = [];
