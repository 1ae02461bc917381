/** A Map of Sets that forgets empty ones. */
export class MultiMap<K, V> {
  readonly #sets = new Map<K, Set<V>>();

  add(key: K, value: V): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([value]));
    else set.add(value);
  }

  delete(key: K, value: V): void {
    const set = this.#sets.get(key);
    if (set?.delete(value) && set.size === 0) this.#sets.delete(key);
  }

  get(key: K): ReadonlySet<V> {
    return this.#sets.get(key) ?? NONE;
  }

  /** Keys with at least one value, in the order they came. */
  keys(): readonly K[] {
    return [...this.#sets.keys()];
  }

  has(key: K): boolean {
    return this.#sets.has(key);
  }
}

const NONE: ReadonlySet<never> = new Set<never>();

/** Code unit order: the same on every machine. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
