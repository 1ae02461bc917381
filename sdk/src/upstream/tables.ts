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
 * change; the table before it serves until then. Tables that need no slices are built at once, and end a build that is
 * under way: its balancer is no longer wanted.
 */
export function createTables({ clock, sliceMs, input, warn }: TablesDeps): Tables {
  let current: Table | undefined;
  let running: SlicedBuild | undefined;
  let again = false;
  let waiters: (() => void)[] = [];

  const finish = (): void => {
    running = undefined;
    if (again) {
      beginSlices();
      return;
    }
    const resolved = waiters;
    waiters = [];
    for (const resolve of resolved) resolve();
  };
  const beginSlices = (): void => {
    again = false;
    let over = false;
    const end = (): void => {
      over = true;
      finish();
    };
    const build = runSliced({
      clock,
      sliceMs,
      steps: buildTable(input()),
      done(table) {
        current = table;
        end();
      },
      failed(error) {
        warn(`the load balancing table could not be built, the one before it stays: ${String(error)}`);
        end();
      },
    });
    if (!over) running = build;
  };
  const stop = (): void => {
    running?.cancel();
    again = false;
  };

  return {
    get current() {
      return current;
    },
    get stale() {
      return running !== undefined;
    },
    rebuild(sliced) {
      if (!sliced) {
        stop();
        current = buildAtOnce(input());
        finish();
      } else if (running === undefined) beginSlices();
      else again = true;
    },
    settled: () => (running === undefined ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    close() {
      stop();
      finish();
    },
  };
}

function buildAtOnce(input: TableInput): Table {
  const steps = buildTable(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
