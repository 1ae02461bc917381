/** What a decode found, in order. */
export interface Findings {
  readonly errors: string[];
  readonly warnings: string[];
}

/** A resource may have a million fields, and what is wrong with each goes into one NACK, an event and a status. */
const MOST_FINDINGS = 256;

/**
 * A place in a resource. Decoders hand it down and report at it; the path is only spelled out when there is something to
 * report. A decoder that reported an error still returns a value: the resource is refused as a whole afterwards.
 */
export class Scope {
  /** Segments of the path. */
  readonly depth: number;
  readonly #findings: Findings;
  readonly #parent: Scope | undefined;
  readonly #segment: string | number;

  constructor(findings: Findings, parent?: Scope, segment: string | number = '') {
    this.#findings = findings;
    this.#parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.#segment = segment;
  }

  /** `name` as the .proto writes it. */
  at(name: string | number): Scope {
    return new Scope(this.#findings, this, name);
  }

  /** `what`: the value, what is wrong with it, what is allowed. */
  error(what: string): void {
    this.#add(this.#findings.errors, what);
  }

  warn(what: string): void {
    this.#add(this.#findings.warnings, what);
  }

  get path(): string {
    const before = this.#parent?.path ?? '';
    if (typeof this.#segment === 'number') return `${before}[${this.#segment}]`;
    return before === '' ? this.#segment : `${before}.${this.#segment}`;
  }

  #add(to: string[], what: string): void {
    if (to.length < MOST_FINDINGS) to.push(this.#say(what));
    else if (to.length === MOST_FINDINGS) to.push(`more than ${MOST_FINDINGS} findings, the others are left out`);
  }

  #say(what: string): string {
    const { path } = this;
    return path === '' ? what : `${path}: ${what}`;
  }
}

export const createFindings = (): Findings => ({ errors: [], warnings: [] });
