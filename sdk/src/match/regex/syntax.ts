/**
 * The part of RE2's syntax (github.com/google/re2/wiki/Syntax) that we run ourselves, parsed. Whatever is not in it, an
 * error included, gives undefined: re2js then decides, and alone says what is wrong with a pattern. The pattern comes as
 * bytes, one character each (see utf8.ts).
 */

import { type Cursor, parseClass, parseEscape } from './char-class.ts';
import { ANY_CHAR, type CharSet, complement, foldAscii, foldPerlClass, isAscii, rangeOf } from './char-set.ts';

/** Boundaries are those of ASCII words, in RE2 and in RegExp without the `i` flag. */
export type Assertion = 'begin' | 'end' | 'word-boundary' | 'no-word-boundary';

export type RegexNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly options: readonly RegexNode[] }
  /** `index` 0 does not capture. */
  | { readonly kind: 'group'; readonly index: number; readonly body: RegexNode }
  | {
      readonly kind: 'repeat';
      readonly body: RegexNode;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
    };

/** RE2's limit; a longer count is an error there. */
const MAX_COUNT = 1_000;
/** Deeper ones are re2js's, which has a limit of its own (1,000) and says so; this parser would exhaust the stack. */
const MAX_DEPTH = 200;
const EMPTY: RegexNode = { kind: 'empty' };
const ANY_BUT_NEWLINE = complement([rangeOf(10)]);

interface Parser extends Cursor {
  depth: number;
  groups: number;
  ignoreCase: boolean;
  dotAll: boolean;
}

export function parseRegexSyntax(pattern: string): RegexNode | undefined {
  const parser: Parser = { text: pattern, at: 0, depth: 0, groups: 0, ignoreCase: false, dotAll: false };
  const root = parseChoice(parser);
  return parser.at === pattern.length ? root : undefined;
}

function parseChoice(parser: Parser): RegexNode | undefined {
  const options: RegexNode[] = [];
  for (;;) {
    const option = parseSequence(parser);
    if (option === undefined) return undefined;
    options.push(option);
    if (parser.text[parser.at] !== '|') return options.length === 1 ? option : { kind: 'choice', options };
    parser.at++;
  }
}

function parseSequence(parser: Parser): RegexNode | undefined {
  const parts: RegexNode[] = [];
  for (
    let next = parser.text[parser.at];
    next !== undefined && next !== '|' && next !== ')';
    next = parser.text[parser.at]
  ) {
    const atom = parseAtom(parser);
    const part = atom === undefined ? undefined : parseRepeats(parser, atom);
    if (part === undefined) return undefined;
    if (part !== EMPTY) parts.push(part);
  }
  const only = parts[0];
  if (only === undefined) return EMPTY;
  return parts.length === 1 ? only : { kind: 'sequence', parts };
}

function parseAtom(parser: Parser): RegexNode | undefined {
  const first = parser.text[parser.at];
  switch (first) {
    case '(':
      return parseGroup(parser);
    case '[':
      return setNode(parseClass(parser, parser.ignoreCase));
    case '\\':
      return parseEscapedAtom(parser);
    case '*':
    case '+':
    case '?':
      return undefined;
    case '.':
      parser.at++;
      return { kind: 'set', set: parser.dotAll ? ANY_CHAR : ANY_BUT_NEWLINE };
    case '^':
      parser.at++;
      return { kind: 'assert', what: 'begin' };
    case '$':
      // RE2 without (?m): the very end, never before a last newline.
      parser.at++;
      return { kind: 'assert', what: 'end' };
    default:
      if (first === '{' && readCount(parser.text, parser.at) !== undefined) return undefined;
      return parseLiteral(parser);
  }
}

function parseLiteral(parser: Parser): RegexNode | undefined {
  return foldedChar(parser, [rangeOf(parser.text.charCodeAt(parser.at++))]);
}

function parseEscapedAtom(parser: Parser): RegexNode | undefined {
  const letter = parser.text[parser.at + 1];
  const what = letter === undefined ? undefined : ASSERTIONS.get(letter);
  if (what !== undefined) {
    parser.at += 2;
    return { kind: 'assert', what };
  }
  if (letter === 'C') {
    parser.at += 2;
    return setNode(ANY_CHAR);
  }
  const escaped = parseEscape(parser);
  if (escaped === undefined) return undefined;
  if (typeof escaped === 'number') return foldedChar(parser, [rangeOf(escaped)]);
  return setNode(parser.ignoreCase ? foldPerlClass(escaped) : escaped);
}

const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map<string, Assertion>([
  ['A', 'begin'],
  ['z', 'end'],
  ['b', 'word-boundary'],
  ['B', 'no-word-boundary'],
]);

function foldedChar(parser: Parser, set: CharSet): RegexNode | undefined {
  if (!parser.ignoreCase) return setNode(set);
  return isAscii(set) ? setNode(foldAscii(set)) : undefined;
}

const setNode = (set: CharSet | undefined): RegexNode | undefined =>
  set === undefined ? undefined : { kind: 'set', set };

/** `(…)`, `(?:…)`, `(?P<name>…)`, `(?<name>…)`, `(?is)` and `(?is:…)`. */
function parseGroup(parser: Parser): RegexNode | undefined {
  const { ignoreCase, dotAll } = parser;
  const opening = matchAt(/\((?:\?(?:P?<(\w+)>|([is]*)(?:-([is]+))?([:)])))?/y, parser.text, parser.at);
  if (opening === undefined || parser.text.startsWith('(?', parser.at) !== opening.text.startsWith('(?'))
    return undefined;
  parser.at += opening.text.length;
  const [name, on, off, end] = opening.groups;
  const captures = end === undefined;
  if (!captures) applyFlags(parser, on ?? '', off ?? '');
  if (end === ')') return EMPTY;
  if (name !== undefined && parser.text.indexOf(`<${name}>`, parser.at) >= 0) return undefined; // perhaps a duplicate name
  const index = captures ? ++parser.groups : 0;
  if (parser.depth === MAX_DEPTH) return undefined;
  parser.depth++;
  const body = parseChoice(parser);
  parser.depth--;
  if (body === undefined || parser.text[parser.at] !== ')') return undefined;
  parser.at++;
  parser.ignoreCase = ignoreCase;
  parser.dotAll = dotAll;
  return { kind: 'group', index, body };
}

function applyFlags(parser: Parser, on: string, off: string): void {
  if (on.includes('i')) parser.ignoreCase = true;
  if (on.includes('s')) parser.dotAll = true;
  if (off.includes('i')) parser.ignoreCase = false;
  if (off.includes('s')) parser.dotAll = false;
}

function parseRepeats(parser: Parser, body: RegexNode): RegexNode | undefined {
  const count = readRepeat(parser.text, parser.at);
  if (count === undefined) return body;
  // `^*` and `(?i)*` are rare enough to leave to re2js, and so is a count that RE2 may refuse.
  if (body.kind === 'empty' || body.kind === 'assert' || count.min > count.max) return undefined;
  if (Math.max(count.min, Number.isFinite(count.max) ? count.max : 0) > MAX_COUNT) return undefined;
  if (count.counted && hasCount(body)) return undefined;
  parser.at += count.length;
  const greedy = parser.text[parser.at] !== '?';
  if (!greedy) parser.at++;
  // RE2 refuses a repeat of a repeat (`a**`).
  if (readRepeat(parser.text, parser.at) !== undefined) return undefined;
  return { kind: 'repeat', body, min: count.min, max: count.max, greedy };
}

interface Count {
  readonly min: number;
  readonly max: number;
  readonly length: number;
  readonly counted: boolean;
}

function readRepeat(text: string, at: number): Count | undefined {
  switch (text[at]) {
    case '*':
      return { min: 0, max: Number.POSITIVE_INFINITY, length: 1, counted: false };
    case '+':
      return { min: 1, max: Number.POSITIVE_INFINITY, length: 1, counted: false };
    case '?':
      return { min: 0, max: 1, length: 1, counted: false };
    case '{':
      return readCount(text, at);
    default:
      return undefined;
  }
}

/** `{n}`, `{n,}`, `{n,m}`; anything else that begins with a brace is literal text in RE2. */
function readCount(text: string, at: number): Count | undefined {
  const found = matchAt(/\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/y, text, at);
  if (found === undefined) return undefined;
  const [low, comma, high] = found.groups;
  const min = Number(low);
  const max = high !== undefined ? Number(high) : comma !== undefined ? Number.POSITIVE_INFINITY : min;
  return { min, max, length: found.text.length, counted: true };
}

function hasCount(node: RegexNode): boolean {
  switch (node.kind) {
    case 'sequence':
      return node.parts.some(hasCount);
    case 'choice':
      return node.options.some(hasCount);
    case 'group':
      return hasCount(node.body);
    case 'repeat':
      return (Number.isFinite(node.max) && node.max > 1) || node.min > 1 || hasCount(node.body);
    default:
      return false;
  }
}

interface Found {
  readonly text: string;
  readonly groups: readonly (string | undefined)[];
}

function matchAt(pattern: RegExp, text: string, at: number): Found | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match === null ? undefined : { text: match[0], groups: match.slice(1) };
}
