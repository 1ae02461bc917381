/**
 * Recorded reads with early cut-off (the shape of salsa and of Istio's krt): translation is written as if everything
 * were computed anew, and what a computation read decides when it has to run again. A derived cell runs again only
 * when something it read has changed, and those who read it only when its value has changed.
 *
 * Pull-based: nothing runs until it is asked for, and no cell knows its readers, so one that nobody asks for any more
 * costs its memo alone, and `collect` drops that.
 */

/** Decides whether a new value counts as a change. */
type Equal<T> = (a: T, b: T) => boolean;

/** Reads a cell inside a computation and records that it did. */
export type Read = <T>(cell: Cell<T>) => T;

export interface Cell<T> {
  readonly label: string;
  /** The value as of now. */
  get(): T;
  /** Revision at which the value last became another one; call after `get`. */
  changedAt(): number;
}

export interface Input<T> extends Cell<T> {
  set(value: T): void;
}

/** Cells made on demand by a key: reading a key that holds nothing is recorded like any other read. */
export interface Family<T> {
  at(key: string): Cell<T>;
  has(key: string): boolean;
  size(): number;
}

/** Values that live outside: loaded when they are first read, and again when the outside says that a key has changed. */
interface InputFamily<T> extends Family<T> {
  reload(key: string): void;
}

export interface Graph {
  /** Grows by one with each change of an input. */
  revision(): number;
  input<T>(label: string, value: T, equal?: Equal<T>): Input<T>;
  derived<T>(label: string, compute: (read: Read) => T, equal?: Equal<T>): Cell<T>;
  inputs<T>(label: string, load: (key: string) => T, equal?: Equal<T>): InputFamily<T>;
  deriveds<T>(label: string, compute: (read: Read, key: string) => T, equal?: Equal<T>): Family<T>;
  /** Drops derived cells of families last asked for before `revision`, then the family inputs that nothing left has read. */
  collect(revision: number): void;
}

interface Clockwork {
  revision: number;
}

class InputCell<T> implements Input<T> {
  readonly label: string;
  readonly #clockwork: Clockwork;
  readonly #equal: Equal<T>;
  #value: T;
  #changedAt: number;

  constructor(label: string, clockwork: Clockwork, value: T, equal: Equal<T>) {
    this.label = label;
    this.#clockwork = clockwork;
    this.#equal = equal;
    this.#value = value;
    this.#changedAt = clockwork.revision;
  }

  get(): T {
    return this.#value;
  }

  changedAt(): number {
    return this.#changedAt;
  }

  set(value: T): void {
    if (this.#equal(this.#value, value)) return;
    this.#value = value;
    this.#clockwork.revision += 1;
    this.#changedAt = this.#clockwork.revision;
  }
}

type Memo<T> = { readonly value: T; readonly reads: ReadonlySet<Cell<unknown>> };

class DerivedCell<T> implements Cell<T> {
  readonly label: string;
  readonly #clockwork: Clockwork;
  readonly #compute: (read: Read) => T;
  readonly #equal: Equal<T>;
  #memo: Memo<T> | undefined;
  #changedAt = 0;
  /** Revision at which the memo was last known to be right. */
  verifiedAt = -1;
  #running = false;

  constructor(label: string, clockwork: Clockwork, compute: (read: Read) => T, equal: Equal<T>) {
    this.label = label;
    this.#clockwork = clockwork;
    this.#compute = compute;
    this.#equal = equal;
  }

  reads(): Iterable<Cell<unknown>> {
    return this.#memo?.reads ?? [];
  }

  changedAt(): number {
    return this.#changedAt;
  }

  get(): T {
    const { revision } = this.#clockwork;
    const memo = this.#memo;
    if (memo !== undefined) {
      if (this.verifiedAt === revision) return memo.value;
      if (!this.#anyReadChanged(memo)) {
        this.verifiedAt = revision;
        return memo.value;
      }
    }
    return this.#run(memo);
  }

  /** In the order they were read: an earlier read decides which later ones happen, so a stale later one is never forced. */
  #anyReadChanged(memo: Memo<T>): boolean {
    for (const cell of memo.reads) {
      cell.get();
      if (cell.changedAt() > this.verifiedAt) return true;
    }
    return false;
  }

  #run(previous: Memo<T> | undefined): T {
    if (this.#running) throw new Error(`graph: ${this.label} reads itself`);
    this.#running = true;
    const reads = new Set<Cell<unknown>>();
    const read: Read = (cell) => {
      reads.add(cell);
      return cell.get();
    };
    try {
      const fresh = this.#compute(read);
      // Early cut-off: an equal value keeps its identity and its age.
      const same = previous !== undefined && this.#equal(previous.value, fresh);
      const value = same ? previous.value : fresh;
      if (!same) this.#changedAt = this.#clockwork.revision;
      this.#memo = { value, reads };
      this.verifiedAt = this.#clockwork.revision;
      return value;
    } finally {
      this.#running = false;
    }
  }
}

const cellsByKey = <C>(make: (key: string) => C): { readonly cells: Map<string, C>; at(key: string): C } => {
  const cells = new Map<string, C>();
  const at = (key: string): C => {
    const known = cells.get(key);
    if (known !== undefined) return known;
    const cell = make(key);
    cells.set(key, cell);
    return cell;
  };
  return { cells, at };
};

/** One graph; all cells belong to it and are used in one thread, computations being synchronous. */
export const createGraph = (): Graph => {
  const clockwork: Clockwork = { revision: 0 };
  const collectDerived: ((revision: number, read: Set<Cell<unknown>>) => void)[] = [];
  const collectInputs: ((read: ReadonlySet<Cell<unknown>>) => void)[] = [];

  return {
    revision: () => clockwork.revision,
    input: (label, value, equal = Object.is) => new InputCell(label, clockwork, value, equal),
    derived: (label, compute, equal = Object.is) => new DerivedCell(label, clockwork, compute, equal),
    inputs<T>(label: string, load: (key: string) => T, equal: Equal<T> = Object.is): InputFamily<T> {
      const { cells, at } = cellsByKey((key) => new InputCell(`${label} ${key}`, clockwork, load(key), equal));
      collectInputs.push((read) => {
        for (const [key, cell] of cells) if (!read.has(cell)) cells.delete(key);
      });
      return {
        at,
        has: (key) => cells.has(key),
        size: () => cells.size,
        reload: (key) => cells.get(key)?.set(load(key)),
      };
    },
    deriveds<T>(label: string, compute: (read: Read, key: string) => T, equal: Equal<T> = Object.is): Family<T> {
      const make = (key: string): DerivedCell<T> =>
        new DerivedCell(`${label} ${key}`, clockwork, (read) => compute(read, key), equal);
      const { cells, at } = cellsByKey(make);
      collectDerived.push((revision, read) => {
        for (const [key, cell] of cells) {
          if (cell.verifiedAt < revision) cells.delete(key);
          else for (const one of cell.reads()) read.add(one);
        }
      });
      return { at, has: (key) => cells.has(key), size: () => cells.size };
    },
    collect(revision) {
      const read = new Set<Cell<unknown>>();
      for (const run of collectDerived) run(revision, read);
      for (const run of collectInputs) run(read);
    },
  };
};
