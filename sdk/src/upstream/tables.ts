import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { runSliced, type SlicedBuild } from './slices.ts';
import { buildTable, type Table, type TableInput } from './table.ts';

/** Whose tables they are. */
export interface TablesOwner {
  readonly clock: Clock;
  tableInput(): TableInput;
  warn(message: string): void;
}

/**
 * The table that picks read, and the building of the next one. One build runs at a time and at most one waits, so a
 * table that takes seconds is finished however often endpoints change; the table before it serves until then. Tables
 * that need no slices are built at once, and end a build that is under way: its balancer is no longer wanted.
 */
export class Tables {
  current: Table | undefined;
  readonly #owner: TablesOwner;
  #running: SlicedBuild | undefined;
  #isAskedAgain = false;
  #waiters: (() => void)[] | undefined;

  constructor(owner: TablesOwner) {
    this.#owner = owner;
  }

  /** The hosts have changed since the current table was begun. */
  get stale(): boolean {
    return this.#running !== undefined;
  }

  /** Asks for a table of the input as it is when the build begins; `sliced` when that may take more than a moment. */
  rebuild(sliced: boolean): void {
    if (!sliced) {
      this.#stop();
      this.current = buildAtOnce(this.#owner.tableInput());
      this.#finish();
    } else if (this.#running === undefined) this.#beginSlices();
    else this.#isAskedAgain = true;
  }

  /** Resolves once the current table is of the present input. */
  settled(): Promise<void> {
    if (this.#running === undefined) return Promise.resolve();
    const waiters = this.#waiters ?? [];
    this.#waiters = waiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  close(): void {
    this.#stop();
    this.#finish();
  }

  #beginSlices(): void {
    const owner = this.#owner;
    this.#isAskedAgain = false;
    let over = false;
    const end = (): void => {
      over = true;
      this.#finish();
    };
    const build = runSliced({
      clock: owner.clock,
      sliceMs: defaultOf('sliceMs'),
      steps: buildTable(owner.tableInput()),
      done: (table) => {
        this.current = table;
        end();
      },
      failed(error) {
        owner.warn(`the load balancing table could not be built, the one before it stays: ${String(error)}`);
        end();
      },
    });
    if (!over) this.#running = build;
  }

  #finish(): void {
    this.#running = undefined;
    if (this.#isAskedAgain) {
      this.#beginSlices();
      return;
    }
    const resolved = this.#waiters;
    this.#waiters = undefined;
    for (const resolve of resolved ?? []) resolve();
  }

  #stop(): void {
    this.#running?.cancel();
    this.#isAskedAgain = false;
  }
}

function buildAtOnce(input: TableInput): Table {
  const steps = buildTable(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
