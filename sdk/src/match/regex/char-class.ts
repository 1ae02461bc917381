/** Escapes and bracket classes of RE2's syntax, as sets. undefined: not ours, see syntax.ts. */
import {
  type CharRange,
  type CharSet,
  complement,
  foldAscii,
  isAscii,
  normalise,
  PERL_CLASSES,
  POSIX_CLASSES,
  rangeOf,
} from './char-set.ts';

export interface Cursor {
  readonly text: string;
  at: number;
}

const CONTROL_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
]);

/** At a backslash: a byte or a class. Octal, `\p` and `\Q` are left to re2js. */
export function parseEscape(cursor: Cursor): number | CharSet | undefined {
  const letter = cursor.text[cursor.at + 1];
  if (letter === undefined) return undefined;
  const perl = PERL_CLASSES.get(letter);
  const control = CONTROL_ESCAPES.get(letter);
  if (perl !== undefined || control !== undefined) {
    cursor.at += 2;
    return perl ?? control;
  }
  if (letter === 'x') return parseHex(cursor);
  // Punctuation stands for itself; letters, digits and `_` do not.
  if (letter > '\x7f' || /\w/.test(letter)) return undefined;
  cursor.at += 2;
  return letter.charCodeAt(0);
}

function parseHex(cursor: Cursor): number | undefined {
  const digits = cursor.text.slice(cursor.at + 2, cursor.at + 4);
  if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
  cursor.at += 4;
  return Number.parseInt(digits, 16);
}

/** At an opening bracket. */
export function parseClass(cursor: Cursor, ignoreCase: boolean): CharSet | undefined {
  cursor.at++;
  const negated = cursor.text[cursor.at] === '^';
  if (negated) cursor.at++;
  const ranges: CharRange[] = [];
  // A closing bracket in first place is a member.
  for (let first = true; first || cursor.text[cursor.at] !== ']'; first = false) {
    const item = parseItem(cursor);
    if (item === undefined) return undefined;
    ranges.push(...item);
  }
  cursor.at++;
  let set = normalise(ranges);
  if (ignoreCase) {
    // Folding beyond ASCII is re2js's work.
    if (!isAscii(set)) return undefined;
    set = foldAscii(set);
  }
  return negated ? complement(set) : set;
}

function parseItem(cursor: Cursor): CharSet | undefined {
  const posix = parsePosix(cursor);
  if (posix !== 'none') return posix;
  const low = parseMember(cursor);
  if (low === undefined || typeof low !== 'number') return low;
  const { text, at } = cursor;
  if (text[at] !== '-' || text[at + 1] === ']' || text[at + 1] === undefined) return [rangeOf(low)];
  cursor.at++;
  const high = parseMember(cursor);
  return typeof high === 'number' && low <= high ? [rangeOf(low, high)] : undefined;
}

function parseMember(cursor: Cursor): number | CharSet | undefined {
  if (cursor.text[cursor.at] === '\\') return parseEscape(cursor);
  return cursor.at < cursor.text.length ? cursor.text.charCodeAt(cursor.at++) : undefined;
}

function parsePosix(cursor: Cursor): CharSet | undefined | 'none' {
  if (!cursor.text.startsWith('[:', cursor.at)) return 'none';
  const end = cursor.text.indexOf(':]', cursor.at + 2);
  if (end < 0) return 'none';
  const name = cursor.text.slice(cursor.at + 2, end);
  const set = POSIX_CLASSES.get(name.startsWith('^') ? name.slice(1) : name);
  if (set === undefined) return undefined;
  cursor.at = end + 2;
  return name.startsWith('^') ? complement(set) : set;
}
