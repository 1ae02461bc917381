import { samePosition } from '../schema/origin.ts';
import type { ParsedText } from '../schema/parse.ts';
import { byPosition, objectTitle } from '../schema/problem.ts';
import type { AnyObject, ChangeEvent, ObjectKey, Problem } from '../schema/types.ts';

interface FileState {
  readonly objects: ReadonlyMap<ObjectKey, AnyObject>;
  readonly problems: readonly Problem[];
}

/**
 * The objects of many files as one set. A broken document keeps the last good version of its object; an object that two
 * files hold stays with the file that had it first. `changes` says what became different since it was last asked.
 */
export class Collection {
  readonly #files = new Map<string, FileState>();
  /** Files that hold a key, in the order they came: the first one counts. */
  readonly #holders = new Map<ObjectKey, readonly string[]>();
  readonly #given = new Map<ObjectKey, AnyObject>();
  readonly #touched = new Set<ObjectKey>();

  set(file: string, parsed: ParsedText): void {
    const before = this.#files.get(file)?.objects ?? new Map<ObjectKey, AnyObject>();
    const objects = new Map<ObjectKey, AnyObject>();
    const problems = [...parsed.problems];
    for (const object of parsed.objects) {
      const first = objects.get(object.key);
      if (first === undefined) objects.set(object.key, object);
      else problems.push(repeated(object, first));
    }
    const broken = new Set(parsed.broken);
    for (const [key, object] of before) {
      if (objects.has(key) || !(parsed.unreadable || broken.has(key))) continue;
      objects.set(key, object);
      problems.push(kept(object, file, parsed.problems));
    }
    this.#replace(file, before, { objects, problems });
  }

  /** The file cannot be read: what was in it stays. */
  fail(file: string, problem: Problem): void {
    const objects = this.#files.get(file)?.objects ?? new Map<ObjectKey, AnyObject>();
    this.#files.set(file, { objects, problems: [problem] });
  }

  remove(file: string): void {
    const before = this.#files.get(file);
    if (before === undefined) return;
    this.#replace(file, before.objects, { objects: new Map(), problems: [] });
    this.#files.delete(file);
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  /** Objects the file would lose if this were its text now. */
  losses(file: string, parsed: ParsedText): boolean {
    const next = new Set([...parsed.objects.map(({ key }) => key), ...parsed.broken]);
    return !parsed.unreadable && [...(this.#files.get(file)?.objects.keys() ?? [])].some((key) => !next.has(key));
  }

  /** What changed since the last call. An object whose position alone moved comes again with the same contentHash. */
  changes(): readonly ChangeEvent[] {
    const events: ChangeEvent[] = [];
    for (const key of this.#touched) {
      const before = this.#given.get(key);
      const after = this.#winner(key);
      if (after === undefined) {
        if (this.#given.delete(key)) events.push({ kind: 'delete', key });
      } else if (before?.contentHash !== after.contentHash || !samePosition(before.origin, after.origin)) {
        this.#given.set(key, after);
        events.push({ kind: 'upsert', object: after });
      }
    }
    this.#touched.clear();
    return events;
  }

  problems(): readonly Problem[] {
    const problems = [...this.#files.values()].flatMap((state) => state.problems);
    for (const [key, holders] of this.#holders) {
      const winner = this.#winner(key);
      for (const file of holders.slice(1)) {
        const object = this.#files.get(file)?.objects.get(key);
        if (object !== undefined && winner !== undefined) problems.push(repeated(object, winner));
      }
    }
    return problems.sort(byPosition);
  }

  #winner(key: ObjectKey): AnyObject | undefined {
    const [file] = this.#holders.get(key) ?? [];
    return file === undefined ? undefined : this.#files.get(file)?.objects.get(key);
  }

  #replace(file: string, before: ReadonlyMap<ObjectKey, AnyObject>, state: FileState): void {
    this.#files.set(file, state);
    for (const key of new Set([...before.keys(), ...state.objects.keys()])) {
      this.#touched.add(key);
      const others = (this.#holders.get(key) ?? []).filter((holder) => holder !== file || state.objects.has(key));
      const holders = state.objects.has(key) && !others.includes(file) ? [...others, file] : others;
      if (holders.length === 0) this.#holders.delete(key);
      else this.#holders.set(key, holders);
    }
  }
}

const titleOf = ({ kind, namespace, name }: AnyObject): string => objectTitle(kind, namespace, name);

const repeated = (object: AnyObject, first: AnyObject): Problem => ({
  severity: 'error',
  file: object.origin.file,
  line: object.origin.line('metadata'),
  object: titleOf(object),
  message: `is written in ${first.origin.file}:${first.origin.line('metadata')} too, which is used; want it once`,
});

const kept = (object: AnyObject, file: string, problems: readonly Problem[]): Problem => {
  const title = titleOf(object);
  const cause =
    problems.find((problem) => problem.object === title) ?? problems.find(({ severity }) => severity === 'error');
  return {
    severity: 'info',
    file,
    line: cause?.line ?? 1,
    object: title,
    message: 'its last good version stays in use',
  };
};
