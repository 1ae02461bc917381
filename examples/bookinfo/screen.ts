/** Where the live table is shown: a terminal (redrawn in place) or a file or pipe (one table after the other). */
interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Keeps a table at the bottom; what happens meanwhile scrolls by above it. */
export class LiveScreen {
  readonly #out: Screen;
  #drawn = 0;
  #notes: string[] = [];

  constructor(out: Screen) {
    this.#out = out;
  }

  /** One line that stays. */
  note(line: string): void {
    this.#notes.push(line);
  }

  draw(table: readonly string[]): void {
    const isTerminal = this.#out.isTTY === true;
    // A line that wraps would take two rows, and the next drawing would go up too few.
    const width = isTerminal ? (this.#out.columns ?? 80) : Number.POSITIVE_INFINITY;
    const erase = isTerminal && this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[J` : '';
    const notes = this.#notes.splice(0).map((note) => `${note}\n`);
    const rows = table.map((row) => `${row.slice(0, width)}\n`);
    this.#out.write(
      `${erase}${notes.join('')}${notes.length > 0 ? '\n' : ''}${rows.join('')}${isTerminal ? '' : '\n'}`,
    );
    this.#drawn = rows.length;
  }
}
