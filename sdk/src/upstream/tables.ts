import type { Clock } from '../clock.ts';
import { runSliced, type SlicedBuild } from './slices.ts';
import { buildTable, type Table, type TableInput } from './table.ts';

/** The table that picks read, and the building of the next one. */
export interface Tables {
  readonly current: Table | undefined;
  /** The hosts have changed since the current table was begun. */
  readonly stale: boolean;
  /** Asks for a table of the input as it is when the build begins; `sliced` when that may take more than a moment. */
  rebuild(sliced: boolean): void;
  /** Resolves once the current table is of the present input. */
  settled(): Promise<void>;
  close(): void;
}

export interface TablesDeps {
  readonly clock: Clock;
  readonly sliceMs: number;
  readonly input: () => TableInput;
  readonly warn: (message: string) => void;
}

/**
 * One build runs at a time and at most one waits, so a table that takes seconds is finished however often endpoints
 * change; the table before it serves until then. Balancers that need no slices are built at once, and end a build that
 * is under way: its balancer is no longer wanted.
 */
export function createTables({ clock, sliceMs, input, warn }: TablesDeps): Tables {
  let current: Table | undefined;
  let running: SlicedBuild | undefined;
  let again = false;
  let waiting: (() => void)[] = [];

  const finish = (): void => {
    running = undefined;
    if (again) {
      begin();
      return;
    }
    const waiters = waiting;
    waiting = [];
    for (const resolve of waiters) resolve();
  };
  const begin = (): void => {
    again = false;
    let over = false;
    const build = runSliced({
      clock,
      sliceMs,
      steps: buildTable(input()),
      done(table) {
        over = true;
        current = table;
        finish();
      },
      failed(error) {
        over = true;
        warn(`the load balancing table could not be built, the one before it stays: ${String(error)}`);
        finish();
      },
    });
    if (!over) running = build;
  };

  return {
    get current() {
      return current;
    },
    get stale() {
      return running !== undefined;
    },
    rebuild(sliced) {
      if (running !== undefined && sliced) {
        again = true;
        return;
      }
      running?.cancel();
      running = undefined;
      begin();
    },
    settled: () => (running === undefined ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    close() {
      running?.cancel();
      running = undefined;
      finish();
    },
  };
}
