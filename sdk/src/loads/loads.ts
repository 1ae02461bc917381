import type { EventSink } from '../model/events.ts';
import type { LoadTallies } from '../upstream/load-tally.ts';
import { LoadBook } from './load-book.ts';
import type { LoadReports, LoadReportsParts } from './load-reports.ts';

export interface Loads {
  readonly tallies: LoadTallies;
  close(): void;
}

export interface LoadsParts extends Omit<LoadReportsParts, 'book'> {
  readonly emit: EventSink;
}

/** What reports loads is there from the first cluster on whose control plane asks for them: most never do. */
export function createLoads({ emit, ...parts }: LoadsParts): Loads {
  let reports: LoadReports | undefined;
  let isBegun = false;
  let isClosed = false;
  const begin = async (): Promise<void> => {
    const loaded = await import('./load-reports.ts');
    if (!isClosed) reports = new loaded.LoadReports({ ...parts, book });
  };
  const changed = (): void => {
    if (isClosed) return;
    reports?.update();
    if (isBegun) return;
    isBegun = true;
    begin().catch((error: unknown) => emit({ kind: 'warning', message: `loads are not reported: ${String(error)}` }));
  };
  const book = new LoadBook(() => parts.clock.now(), changed);
  return {
    tallies: book,
    close() {
      isClosed = true;
      reports?.close();
    },
  };
}
