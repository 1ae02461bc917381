/** Shapes that need no engine at all: `literal`, `a|b|c`, `literal.*`, `.*literal`, `.*literal.*`, `.*`, `.+`. */
import { isDisjoint, rangeOf, singleCode } from './char-set.ts';
import type { RegexNode } from './syntax.ts';

type Piece = string | { readonly min: number; readonly newline: boolean };

/** A whole-string test for the pattern, if it has one of the shapes. */
export function shapeTest(root: RegexNode): ((text: string) => boolean) | undefined {
  const body = withoutAnchors(root);
  const words = literalWords(body);
  if (words !== undefined) return wordTest(words);
  const pieces = piecesOf(body);
  return pieces === undefined ? undefined : pieceTest(pieces);
}

const withoutGroups = (node: RegexNode): RegexNode => (node.kind === 'group' ? withoutGroups(node.body) : node);

/** A full match implies an outermost `^` and `$`. */
function withoutAnchors(root: RegexNode): RegexNode {
  const node = withoutGroups(root);
  if (node.kind === 'assert') return node.what === 'begin' || node.what === 'end' ? { kind: 'empty' } : node;
  if (node.kind !== 'sequence') return node;
  const isAnchor = (part: RegexNode | undefined, what: 'begin' | 'end') =>
    part?.kind === 'assert' && part.what === what;
  const from = isAnchor(node.parts[0], 'begin') ? 1 : 0;
  const to = node.parts.length - (isAnchor(node.parts.at(-1), 'end') ? 1 : 0);
  const parts = node.parts.slice(from, Math.max(from, to));
  const only = parts[0];
  return parts.length === 1 && only !== undefined ? withoutGroups(only) : { kind: 'sequence', parts };
}

function literalOf(node: RegexNode): string | undefined {
  switch (node.kind) {
    case 'empty':
      return '';
    case 'group':
      return literalOf(node.body);
    case 'set': {
      const code = singleCode(node.set);
      return code === undefined ? undefined : String.fromCharCode(code);
    }
    case 'sequence':
      return node.parts.reduce<string | undefined>((text, part) => {
        const next = text === undefined ? undefined : literalOf(part);
        return next === undefined ? undefined : `${text}${next}`;
      }, '');
    default:
      return undefined;
  }
}

function literalWords(node: RegexNode): readonly string[] | undefined {
  const options = node.kind === 'choice' ? node.options : [node];
  const words = options.map(literalOf).filter((word) => word !== undefined);
  return words.length === options.length ? words : undefined;
}

function wordTest(words: readonly string[]): (text: string) => boolean {
  const only = words[0];
  if (words.length === 1 && only !== undefined) return (text) => text === only;
  const all = new Set(words);
  return (text) => all.has(text);
}

function piecesOf(node: RegexNode): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  for (const part of node.kind === 'sequence' ? node.parts : [node]) {
    const piece = literalOf(part) ?? anyOf(withoutGroups(part));
    if (piece === undefined) return undefined;
    const last = pieces.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') pieces[pieces.length - 1] = last + piece;
    else pieces.push(piece);
  }
  return pieces;
}

/** `.*` and `.+`, with or without `(?s)`. */
function anyOf(node: RegexNode): Piece | undefined {
  if (node.kind !== 'repeat' || node.max !== Number.POSITIVE_INFINITY || node.min > 1) return undefined;
  const body = withoutGroups(node.body);
  if (body.kind !== 'set') return undefined;
  const newline = !isDisjoint(body.set, NEWLINE);
  const size = body.set.reduce((sum, { low, high }) => sum + high - low + 1, 0);
  return size === ALL_BYTES - (newline ? 0 : 1) ? { min: node.min, newline } : undefined;
}

const NEWLINE = [rangeOf(10)];
const ALL_BYTES = 256;

function pieceTest(pieces: readonly Piece[]): ((text: string) => boolean) | undefined {
  const [first, second, third] = pieces;
  if (pieces.length === 1 && typeof first === 'object') return restTest(first, 0);
  if (pieces.length === 2 && typeof first === 'string' && typeof second === 'object') {
    const rest = restTest(second, first.length);
    return (text) => text.startsWith(first) && rest(text);
  }
  if (pieces.length === 2 && typeof first === 'object' && typeof second === 'string') return suffixTest(first, second);
  if (pieces.length === 3 && typeof first === 'object' && typeof second === 'string' && typeof third === 'object') {
    return containsTest(first, second, third);
  }
  return undefined;
}

/** What follows a prefix of `from` characters is any text. `.` takes no newline. */
function restTest(any: Piece & object, from: number): (text: string) => boolean {
  const shortest = from + any.min;
  return any.newline
    ? (text) => text.length >= shortest
    : (text) => text.length >= shortest && text.indexOf('\n', from) < 0;
}

function suffixTest(any: Piece & object, suffix: string): ((text: string) => boolean) | undefined {
  const shortest = suffix.length + any.min;
  if (any.newline) return (text) => text.length >= shortest && text.endsWith(suffix);
  if (suffix.includes('\n')) return undefined;
  return (text) => text.length >= shortest && text.endsWith(suffix) && !text.includes('\n');
}

function containsTest(
  before: Piece & object,
  middle: string,
  after: Piece & object,
): ((text: string) => boolean) | undefined {
  if (before.newline !== after.newline || middle.includes('\n') || before.min > 0 || after.min > 0) return undefined;
  return before.newline ? (text) => text.includes(middle) : (text) => text.includes(middle) && !text.includes('\n');
}
