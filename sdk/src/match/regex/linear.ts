/**
 * Does a backtracking engine run this pattern in time that grows with the input's length alone? Walks the parsed pattern
 * from right to left with a summary of everything that may follow.
 *
 * A repeat is settled when what it repeats excludes the next character: the engine then has one way to go. One repeat
 * that is not (`.*` before more text) may try every length, so nothing unbounded may follow it, else the two multiply:
 * `.*a[^/]*b` is quadratic although `[^/]*` alone would be harmless.
 */
import { type CharSet, EMPTY_SET, isDisjoint, union } from './char-set.ts';
import type { RegexNode } from './syntax.ts';

/** Counted repeats above this count as unbounded. */
const LARGEST_COUNT = 16;
/** Ways through the bounded parts of a pattern; each costs one pass at worst. */
const MOST_WAYS = 64;
const MOST_STEPS = 5_000;

/** What may come from here to the end of the pattern. */
interface Rest {
  readonly first: CharSet;
  readonly unbounded: boolean;
  readonly ways: number;
}

interface Walk {
  steps: number;
}

/** Whether one attempt from a fixed start is linear. */
export function isLinear(root: RegexNode): boolean {
  const rest = before(root, { first: EMPTY_SET, unbounded: false, ways: 1 }, { steps: 0 });
  return rest !== undefined && rest.ways <= MOST_WAYS;
}

function before(node: RegexNode, rest: Rest, walk: Walk): Rest | undefined {
  if (++walk.steps > MOST_STEPS || rest.ways > MOST_WAYS) return undefined;
  switch (node.kind) {
    case 'empty':
    case 'assert':
      return rest;
    case 'set':
      return { ...rest, first: node.set };
    case 'group':
      return before(node.body, rest, walk);
    case 'sequence':
      return node.parts.reduceRight<Rest | undefined>((after, part) => after && before(part, after, walk), rest);
    case 'choice':
      return node.options.map((option) => before(option, rest, walk)).reduce(either);
    case 'repeat':
      return node.max > LARGEST_COUNT
        ? beforeUnbounded(node.body, node.min, rest, walk)
        : beforeBounded(node, rest, walk);
  }
}

/** Two ways on: one is tried after the other, unless the next character tells them apart. */
function either(a: Rest | undefined, b: Rest | undefined): Rest | undefined {
  if (a === undefined || b === undefined) return undefined;
  return {
    first: union(a.first, b.first),
    unbounded: a.unbounded || b.unbounded,
    ways: isDisjoint(a.first, b.first) ? Math.max(a.ways, b.ways) : a.ways + b.ways,
  };
}

function beforeBounded(node: RegexNode & { kind: 'repeat' }, rest: Rest, walk: Walk): Rest | undefined {
  let after: Rest | undefined = rest;
  for (let copy = node.max; copy > 0 && after !== undefined; copy--) {
    const taken: Rest | undefined = before(node.body, after, walk);
    after = copy > node.min ? either(taken, rest) : taken;
  }
  return after;
}

function beforeUnbounded(body: RegexNode, min: number, rest: Rest, walk: Walk): Rest | undefined {
  const entry = entryOf(body);
  if (entry.nullable) return undefined;
  const settled = isDisjoint(entry.first, rest.first);
  if (!settled && (rest.unbounded || !isSingle(body))) return undefined;
  if (!isSingle(body)) {
    // Every turn of the loop must have one way only: its own parts are checked against another turn or the way out.
    const turn = before(body, { first: union(entry.first, rest.first), unbounded: true, ways: 1 }, walk);
    if (turn === undefined || turn.ways > 1) return undefined;
  }
  return { first: min === 0 ? union(entry.first, rest.first) : entry.first, unbounded: true, ways: rest.ways };
}

function isSingle(node: RegexNode): boolean {
  return node.kind === 'set' || (node.kind === 'group' && isSingle(node.body));
}

interface Entry {
  readonly first: CharSet;
  readonly nullable: boolean;
}

/** What a node may begin with, and whether it may match nothing. */
function entryOf(node: RegexNode): Entry {
  switch (node.kind) {
    case 'empty':
    case 'assert':
      return { first: EMPTY_SET, nullable: true };
    case 'set':
      return { first: node.set, nullable: false };
    case 'group':
      return entryOf(node.body);
    case 'repeat': {
      const body = entryOf(node.body);
      return { first: body.first, nullable: body.nullable || node.min === 0 };
    }
    case 'choice':
      return node.options
        .map(entryOf)
        .reduce((a, b) => ({ first: union(a.first, b.first), nullable: a.nullable || b.nullable }));
    case 'sequence':
      return sequenceEntry(node.parts);
  }
}

function sequenceEntry(parts: readonly RegexNode[]): Entry {
  let first: CharSet = EMPTY_SET;
  for (const part of parts) {
    const entry = entryOf(part);
    first = union(first, entry.first);
    if (!entry.nullable) return { first, nullable: false };
  }
  return { first, nullable: true };
}
