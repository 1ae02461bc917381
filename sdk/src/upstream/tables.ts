import type { Clock } from '../clock.ts';
import { type Making, Newest } from './newest.ts';
import { buildTable, type Table, type TableInput } from './table.ts';

/** Whose tables they are. */
export interface TablesOwner {
  readonly clock: Clock;
  tableInput(): TableInput;
  warn(message: string): void;
}

/** The table that picks read, and the building of the next one; the table before it serves until then. */
export class Tables implements Making<Table> {
  current: Table | undefined;
  readonly #owner: TablesOwner;
  readonly #next: Newest<Table>;

  constructor(owner: TablesOwner) {
    this.#owner = owner;
    this.#next = new Newest(this);
  }

  get clock(): Clock {
    return this.#owner.clock;
  }

  /** The hosts have changed since the current table was begun. */
  get stale(): boolean {
    return this.#next.isRunning;
  }

  /** Asks for a table of the input as it is when the build begins; `sliced` when that may take more than a moment. */
  rebuild(sliced: boolean): void {
    this.#next.ask(sliced);
  }

  /** Resolves once the current table is of the present input. */
  settled(): Promise<void> {
    return this.#next.settled();
  }

  close(): void {
    this.#next.close();
  }

  steps(): Generator<void, Table> {
    return buildTable(this.#owner.tableInput());
  }

  made(table: Table): void {
    this.current = table;
  }

  failed(error: unknown): void {
    this.#owner.warn(`the load balancing table could not be built, the one before it stays: ${String(error)}`);
  }
}
