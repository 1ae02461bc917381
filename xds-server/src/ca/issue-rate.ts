export interface IssueRateShape {
  readonly perSecond: number;
  /** At once: all processes of one service account may start together. */
  readonly burst: number;
}

const MOST_KEYS = 10_000;

/** How many certificates each asks for; beyond it is refused, not queued: whoever asks again and again must not hold others up. */
export class IssueRate {
  readonly #shape: IssueRateShape;
  readonly #spent = new Map<string, { readonly debt: number; readonly atMs: number }>();

  constructor(shape: IssueRateShape) {
    this.#shape = shape;
  }

  /** Whether one more is allowed now. */
  admit(key: string, nowMs: number): boolean {
    const before = this.#spent.get(key);
    const debt = before === undefined ? 0 : this.#left(before, nowMs);
    if (debt + 1 > this.#shape.burst) return false;
    // Those who asked last stand last.
    this.#spent.delete(key);
    this.#spent.set(key, { debt: debt + 1, atMs: nowMs });
    this.#makeRoom(nowMs);
    return true;
  }

  #left({ debt, atMs }: { readonly debt: number; readonly atMs: number }, nowMs: number): number {
    return Math.max(0, debt - ((nowMs - atMs) / 1_000) * this.#shape.perSecond);
  }

  /** Forgets those who have not asked for longest: whoever owes nothing any more, and all beyond what is kept. */
  #makeRoom(nowMs: number): void {
    for (const [key, spent] of this.#spent) {
      if (this.#spent.size <= MOST_KEYS && this.#left(spent, nowMs) > 0) return;
      this.#spent.delete(key);
    }
  }
}
