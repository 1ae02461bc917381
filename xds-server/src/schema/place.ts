import type { Severity } from './types.ts';

/** What YAML gives once anchors are resolved: mappings are Maps, so no name from outside reaches a prototype. */
export type Plain = null | boolean | number | string | bigint | readonly Plain[] | ReadonlyMap<string, Plain>;

export type Segment = string | number;

/** A finding before it has a line: the path is looked up in the document's nodes once, by whoever collects. */
export interface Finding {
  readonly severity: Severity;
  readonly path: readonly Segment[];
  readonly message: string;
}

/** More than this many of one document help nobody and would let a hostile file fill the memory. */
const MOST_FINDINGS = 100;

export class Findings {
  readonly list: Finding[] = [];
  errors = 0;

  add(finding: Finding): void {
    if (finding.severity === 'error') this.errors += 1;
    if (this.list.length < MOST_FINDINGS) this.list.push(finding);
  }
}

/** A field being read: knows its path and where findings go. */
export class Place {
  readonly #parent: Place | undefined;
  readonly #segment: Segment;
  readonly #findings: Findings;

  constructor(findings: Findings, parent?: Place, segment: Segment = '') {
    this.#findings = findings;
    this.#parent = parent;
    this.#segment = segment;
  }

  at(segment: Segment): Place {
    return new Place(this.#findings, this, segment);
  }

  /** `at` for each segment. */
  in(...segments: readonly Segment[]): Place {
    return segments.reduce<Place>((place, segment) => place.at(segment), this);
  }

  get path(): readonly Segment[] {
    return this.#parent === undefined ? [] : [...this.#parent.path, this.#segment];
  }

  error(message: string): undefined {
    this.#findings.add({ severity: 'error', path: this.path, message });
  }

  warn(message: string, severity: Severity = 'warning'): undefined {
    this.#findings.add({ severity, path: this.path, message });
  }

  /** Whether one more finding would not be listed: then its message need not be made. */
  get isFull(): boolean {
    return this.#findings.list.length >= MOST_FINDINGS;
  }

  /** How many errors were found so far: a reader that compares before and after knows whether its part is sound. */
  get errors(): number {
    return this.#findings.errors;
  }
}

/** `spec.http[0].headers["x-user"]`. */
export const formatPath = (path: readonly Segment[]): string =>
  path
    .map((segment, index) => {
      if (typeof segment === 'number') return `[${segment}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(segment)) return `[${JSON.stringify(segment)}]`;
      return index === 0 ? segment : `.${segment}`;
    })
    .join('');

/** The inverse of `formatPath`; anything it cannot read ends the path there. */
export const parsePath = (text: string): readonly Segment[] => {
  const segment = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;
  const path: Segment[] = [];
  for (let found = segment.exec(text); found !== null; found = segment.exec(text)) {
    const [, name, index, quoted] = found;
    path.push(name ?? (index === undefined ? String(JSON.parse(quoted ?? '""')) : Number(index)));
  }
  return path;
};

/** A value as a message shows it: `"ten" (string)`; long ones are cut. */
export const describeValue = (value: Plain | undefined): string => {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string')
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)} (string)`;
  if (typeof value === 'number' || typeof value === 'bigint') return `${value} (number)`;
  if (typeof value === 'boolean') return `${value} (boolean)`;
  return Array.isArray(value) ? 'a list' : 'a mapping';
};
