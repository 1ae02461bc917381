import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { Session } from './session.ts';

export interface AdmissionDeps {
  readonly clock: Clock;
  /** Whether what is served is older than this revision. */
  readonly isBehind: (revision: string) => boolean;
  /** The session may be served from now on. */
  readonly admit: (session: Session) => void;
}

/**
 * The way to a stream's first answers. A client that has seen a newer revision on another replica waits for it, a while; then streams are
 * admitted a few dozen at a time, in the order they came. The rest wait and are never refused: who is refused comes back and
 * makes the storm worse.
 */
export class Admission {
  readonly #deps: AdmissionDeps;
  /** Streams whose client has seen what we have not, each with the end of its patience. */
  readonly #behind = new Map<Session, Timer>();
  readonly #queue = new Set<Session>();
  /** Admitted and not answered yet, each with the time by which the next takes its place. */
  readonly #active = new Map<Session, Timer>();
  readonly #through = new WeakSet<Session>();

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** Streams that wait for their first answer. */
  get waiting(): number {
    return this.#behind.size + this.#queue.size;
  }

  isWaiting(session: Session): boolean {
    return this.#behind.has(session) || this.#queue.has(session);
  }

  /** True where the session may be served; otherwise `admit` hears of it. */
  isOpen(session: Session): boolean {
    if (this.#through.has(session) || this.#active.has(session)) return true;
    if (!this.isWaiting(session)) this.#arrive(session);
    return false;
  }

  /** Another revision is served. */
  renewed(): void {
    for (const session of [...this.#behind.keys()]) if (!this.#isBehind(session)) this.#catchUp(session);
  }

  /** All that could be said to the session has been said, and it has answered. */
  answered(session: Session): void {
    if (this.#active.has(session)) this.#release(session);
  }

  closed(session: Session): void {
    this.#behind.get(session)?.cancel();
    this.#behind.delete(session);
    this.#queue.delete(session);
    this.answered(session);
  }

  #isBehind({ identity }: Session): boolean {
    return identity !== undefined && identity.revision !== '' && this.#deps.isBehind(identity.revision);
  }

  #arrive(session: Session): void {
    if (!this.#isBehind(session)) {
      this.#enqueue(session);
      return;
    }
    // For a replica that was restored from a backup nothing newer ever comes.
    const timer = this.#deps.clock.after(defaultOf('behindMs'), () => this.#catchUp(session));
    this.#behind.set(session, timer);
  }

  #catchUp(session: Session): void {
    this.#behind.get(session)?.cancel();
    if (this.#behind.delete(session)) this.#enqueue(session);
  }

  #enqueue(session: Session): void {
    this.#queue.add(session);
    this.#fill();
  }

  #fill(): void {
    for (const session of this.#queue) {
      if (this.#active.size >= defaultOf('admittedStreams')) return;
      this.#queue.delete(session);
      const timer = this.#deps.clock.after(defaultOf('admittedMs'), () => this.#release(session));
      this.#active.set(session, timer);
      this.#deps.admit(session);
    }
  }

  #release(session: Session): void {
    this.#active.get(session)?.cancel();
    this.#active.delete(session);
    this.#through.add(session);
    this.#fill();
  }
}
