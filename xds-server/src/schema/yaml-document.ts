import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
} from 'yaml';
import { defaultOf } from '../defaults.ts';
import type { Plain, Segment } from './place.ts';
import { allSteps, type Steps } from './steps.ts';

/** A YAML (or JSON) document that knows on which of its own lines each field stands. */
export interface YamlDocument {
  /** What is wrong with its syntax; `value` is then whatever could be read. */
  readonly errors: readonly { readonly line: number; readonly message: string }[];
  readonly value: Plain;
  /** 1-based; of the nearest parent that is written where the field itself is not. */
  lineOf(path: readonly Segment[]): number;
}

/** YAML 1.2 core types with merge keys, duplicate keys refused, anchors limited: hostile text costs little. */
function* readYaml(text: string): Steps<YamlDocument> {
  const lines = new LineCounter();
  const document = yield* compose(text, lines);
  const errors = document.errors.map((error) => ({
    line: lines.linePos(error.pos[0]).line || 1,
    message: oneLine(error.message),
  }));
  yield;
  for (const at of repeatedKeys(document)) errors.push({ line: lines.linePos(at).line, message: duplicate(text, at) });
  yield;
  let value: Plain = null;
  try {
    value = plain(document.toJS({ mapAsMap: true, maxAliasCount: defaultOf('yamlAliases') }), 0);
  } catch (error) {
    errors.push({ line: 1, message: oneLine(error instanceof Error ? error.message : String(error)) });
  }
  yield;
  return { errors, value, lineOf: (path) => lineOf(document, lines, path) };
}

/** The library's parseDocument, with turns: its lexer and parser take three quarters of the time. */
function* compose(text: string, lines: LineCounter): Steps<Document.Parsed> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({
    version: '1.2',
    merge: true,
    // Its own comparison of each key with every other takes seconds for a mapping of tens of thousands.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
    lineCounter: lines,
  });
  const documents: Document.Parsed[] = [];
  let lexemes = 0;
  let depth = 0;
  let before = '';
  for (const lexeme of new Lexer().lex(text)) {
    // Thousands of brackets take the parser long to give up on.
    if (before !== SCALAR) depth += lexeme === '[' || lexeme === '{' ? 1 : lexeme === ']' || lexeme === '}' ? -1 : 0;
    if (depth > defaultOf('yamlDepth')) throw new RangeError(TOO_DEEP);
    before = lexeme;
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    lexemes += 1;
    if (lexemes % LEXEMES_A_TURN === 0) yield;
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(true, text.length));
  const [first] = documents;
  if (first === undefined) throw new Error('no document');
  return first;
}

/** The lexer's mark: the next lexeme is a scalar's text. */
const SCALAR = '\u001F';

const LEXEMES_A_TURN = 2_000;

/**
 * As `readYaml`, for text whose nesting may exhaust the parser's stack. Yields where the event loop may have its turn:
 * a document's syntax tree is made in one go, which is what `documentCharacters` is for.
 */
export function* yamlSteps(text: string): Steps<YamlDocument> {
  const most = defaultOf('documentCharacters');
  if (text.length > most) return failed(`a document of ${text.length} characters, at most ${most} are read`);
  try {
    return yield* readYaml(text);
  } catch (error) {
    return failed(error instanceof RangeError ? TOO_DEEP : oneLine(String(error)));
  }
}

const failed = (message: string): YamlDocument => ({ errors: [{ line: 1, message }], value: null, lineOf: () => 1 });

/** All steps at once. */
export const readYamlSafely = (text: string): YamlDocument => allSteps(yamlSteps(text));

/** Where a key stands that its mapping has already. */
const repeatedKeys = (document: Document.Parsed): readonly number[] => {
  const found: number[] = [];
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) found.push(key.range?.[0] ?? 0);
        seen.add(key.value);
      }
    },
  });
  return found;
};

const duplicate = (text: string, at: number): string =>
  `the key ${/^[^:\n]{1,60}/.exec(text.slice(at, at + 64))?.[0].trim() ?? ''} is written twice in one mapping`;

const TOO_DEEP = `nested more than ${defaultOf('yamlDepth')} levels deep`;

const oneLine = (message: string): string => message.split('\n')[0]?.trim() ?? message;

const plain = (value: unknown, depth: number): Plain => {
  if (depth > defaultOf('yamlDepth')) throw new RangeError(TOO_DEEP);
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [plainKey(key), plain(item, depth + 1)]));
  throw new TypeError('a tagged value that has no JSON form, want plain YAML');
};

/** As JSON: `8080: http` has the key "8080". */
const plainKey = (key: unknown): string => {
  if (typeof key === 'object' && key !== null) throw new TypeError('a mapping key that is no string');
  return String(key);
};

const lineOf = (document: Document.Parsed, lines: LineCounter, path: readonly Segment[]): number => {
  let node: unknown = document.contents;
  let line = lineOfNode(node, lines) ?? 1;
  for (const [index, segment] of path.entries()) {
    const step = descend(isAlias(node) ? node.resolve(document) : node, segment);
    if (step === undefined) return lineInText(node, lines, path.slice(index)) ?? line;
    line = lineOfNode(step.at, lines) ?? line;
    node = step.next;
  }
  return line;
};

/** YAML inside a block of text (a ConfigMap's data), which begins on the line after its `|`. */
const lineInText = (node: unknown, lines: LineCounter, path: readonly Segment[]): number | undefined => {
  const line = isScalar(node) && node.type === 'BLOCK_LITERAL' ? lineOfNode(node, lines) : undefined;
  if (line === undefined || !isScalar(node)) return undefined;
  return line + readYamlSafely(String(node.value)).lineOf(path);
};

/** `at` is where the field begins: its key in a mapping, the item itself in a list. */
const descend = (node: unknown, segment: Segment): { readonly at: unknown; readonly next: unknown } | undefined => {
  if (isSeq(node) && typeof segment === 'number') {
    const item = node.items[segment];
    return item === undefined ? undefined : { at: item, next: item };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
  return pair && { at: pair.key, next: pair.value };
};

const lineOfNode = (node: unknown, lines: LineCounter): number | undefined => {
  const offset = isNode(node) ? node.range?.[0] : undefined;
  return offset === undefined ? undefined : lines.linePos(offset).line;
};
