import { parseText } from '../schema/parse.ts';
import type { AnyObject, ObjectKey, Problem, Source, SourceObserver } from '../schema/types.ts';
import { Collection } from './collection.ts';

/** Configuration held in memory: for tests and for programs that bring their own. */
export interface MemorySource extends Source {
  /**
   * Like `kubectl apply`: the objects of the text (or the objects) are added or replace those of the same name. Says
   * what is wrong with them; an object with an error keeps its last good version.
   */
  apply(change: string | readonly AnyObject[]): readonly Problem[];
  /** Takes an object away; the key is `Kind/namespace/name`. */
  delete(key: ObjectKey): void;
}

export const memorySource = (initial: string | readonly AnyObject[] = [], file = 'memory.yaml'): MemorySource =>
  new Memory(initial, file);

class Memory implements MemorySource {
  readonly #file: string;
  readonly #collection = new Collection();
  /** One entry an object: each stands for itself, as if every one had its own file. */
  readonly #entries = new Map<ObjectKey, AnyObject>();
  #problems: readonly Problem[] = [];
  #on: SourceObserver | undefined;

  constructor(initial: string | readonly AnyObject[], file: string) {
    this.#file = file;
    this.apply(initial);
  }

  async start(on: SourceObserver): Promise<void> {
    this.#on = on;
    on.change(this.#collection.changes());
    on.problems(this.#problems);
  }

  apply(change: string | readonly AnyObject[]): readonly Problem[] {
    const parsed = typeof change === 'string' ? parseText(change, this.#file) : { objects: change, problems: [] };
    for (const object of parsed.objects) this.#entries.set(object.key, object);
    this.#problems = parsed.problems;
    this.#publish();
    return parsed.problems;
  }

  delete(key: ObjectKey): void {
    this.#entries.delete(key);
    this.#publish();
  }

  close(): void {
    this.#on = undefined;
  }

  #publish(): void {
    const objects = [...this.#entries.values()];
    this.#collection.set(this.#file, { objects, problems: this.#problems, broken: [], unreadable: false });
    if (this.#on === undefined) return;
    this.#on.change(this.#collection.changes());
    this.#on.problems(this.#problems);
  }
}
