/** Sets of bytes as sorted, disjoint, closed ranges: what one step of a regular expression accepts. */

export interface CharRange {
  readonly low: number;
  readonly high: number;
}

export type CharSet = readonly CharRange[];

/** Envoy runs RE2 in its Latin-1 mode: a character is a byte. */
const LAST = 0xff;
export const EMPTY_SET: CharSet = [];
export const ANY_CHAR: CharSet = [{ low: 0, high: LAST }];

export const rangeOf = (low: number, high: number = low): CharRange => ({ low, high });

/** Sorts and merges ranges that touch. */
export function normalise(ranges: readonly CharRange[]): CharSet {
  const sorted = [...ranges].sort((a, b) => a.low - b.low);
  const merged: CharRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && range.low <= last.high + 1) {
      merged[merged.length - 1] = { low: last.low, high: Math.max(last.high, range.high) };
    } else {
      merged.push(range);
    }
  }
  return merged;
}

export const union = (a: CharSet, b: CharSet): CharSet => {
  if (a.length === 0) return b;
  return b.length === 0 ? a : normalise([...a, ...b]);
};

export function complement(set: CharSet): CharSet {
  const result: CharRange[] = [];
  let next = 0;
  for (const { low, high } of set) {
    if (low > next) result.push(rangeOf(next, low - 1));
    next = high + 1;
  }
  if (next <= LAST) result.push(rangeOf(next, LAST));
  return result;
}

export function isDisjoint(a: CharSet, b: CharSet): boolean {
  let i = 0;
  let j = 0;
  for (;;) {
    const left = a[i];
    const right = b[j];
    if (left === undefined || right === undefined) return true;
    if (left.high < right.low) i++;
    else if (right.high < left.low) j++;
    else return false;
  }
}

/** The only member of a set of one. */
export function singleCode(set: CharSet): number | undefined {
  const only = set[0];
  return set.length === 1 && only !== undefined && only.low === only.high ? only.low : undefined;
}

export const isAscii = (set: CharSet): boolean => (set.at(-1)?.high ?? 0) < 0x80;

/** The set with every ASCII letter in both cases, as under RE2's `(?i)`. Only for sets within ASCII. */
export function foldAscii(set: CharSet): CharSet {
  const folded: CharRange[] = [...set];
  for (const { low, high } of set) {
    addShifted(folded, Math.max(low, 65), Math.min(high, 90), 32);
    addShifted(folded, Math.max(low, 97), Math.min(high, 122), -32);
  }
  return normalise(folded);
}

/** Perl classes or their opposites under `(?i)`: RE2 folds the class first and negates after. */
export const foldPerlClass = (set: CharSet): CharSet =>
  isAscii(set) ? foldAscii(set) : complement(foldAscii(complement(set)));

function addShifted(ranges: CharRange[], low: number, high: number, by: number): void {
  if (low <= high) ranges.push(rangeOf(low + by, high + by));
}

const DIGIT: CharSet = [rangeOf(48, 57)];
const UPPER: CharSet = [rangeOf(65, 90)];
const LOWER: CharSet = [rangeOf(97, 122)];
const ALPHA = union(UPPER, LOWER);
const ALNUM = union(DIGIT, ALPHA);
const WORD = union(ALNUM, [rangeOf(95)]);
/** RE2's `\s` has no vertical tab, and nothing outside ASCII. */
const PERL_SPACE: CharSet = [rangeOf(9, 10), rangeOf(12, 13), rangeOf(32)];

/** RE2 `\d`, `\s`, `\w` and their opposites. */
export const PERL_CLASSES: ReadonlyMap<string, CharSet> = new Map([
  ['d', DIGIT],
  ['D', complement(DIGIT)],
  ['s', PERL_SPACE],
  ['S', complement(PERL_SPACE)],
  ['w', WORD],
  ['W', complement(WORD)],
]);

/** RE2 `[[:name:]]`. */
export const POSIX_CLASSES: ReadonlyMap<string, CharSet> = new Map([
  ['alnum', ALNUM],
  ['alpha', ALPHA],
  ['ascii', [rangeOf(0, 127)]],
  ['blank', normalise([rangeOf(9), rangeOf(32)])],
  ['cntrl', normalise([rangeOf(0, 31), rangeOf(127)])],
  ['digit', DIGIT],
  ['graph', [rangeOf(33, 126)]],
  ['lower', LOWER],
  ['print', [rangeOf(32, 126)]],
  ['punct', normalise([rangeOf(33, 47), rangeOf(58, 64), rangeOf(91, 96), rangeOf(123, 126)])],
  ['space', normalise([rangeOf(9, 13), rangeOf(32)])],
  ['upper', UPPER],
  ['word', WORD],
  ['xdigit', normalise([rangeOf(48, 57), rangeOf(65, 70), rangeOf(97, 102)])],
]);
