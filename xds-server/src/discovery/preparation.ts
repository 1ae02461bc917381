import type { Lookup } from '../snapshot/lookup.ts';

/** What is looked up without a look at the clock. */
const NAMES_AT_ONCE = 64;
const NAMES_BETWEEN_LOOKS = 8;

/** Thousands of resources that nobody has asked for yet take long to make: they are, a slice at a time, before their answer. */
export class Preparation {
  /** By type: the names that are still to be looked up. */
  readonly #left = new Map<string, Iterator<string>>();

  /** False: the time is up, and there is more to look up. */
  step(
    typeUrl: string,
    names: { readonly size: number; keys(): Iterable<string> },
    lookup: Lookup,
    isTimeUp: () => boolean,
  ): boolean {
    if (names.size <= NAMES_AT_ONCE) return true;
    const left = this.#left.get(typeUrl) ?? names.keys()[Symbol.iterator]();
    this.#left.set(typeUrl, left);
    for (let count = 1; ; count++) {
      const { done, value } = left.next();
      if (done) break;
      lookup(value);
      if (count % NAMES_BETWEEN_LOOKS === 0 && isTimeUp()) return false;
    }
    this.#left.delete(typeUrl);
    return true;
  }
}
