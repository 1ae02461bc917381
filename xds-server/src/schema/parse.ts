import { defaultOf } from '../defaults.ts';
import { type DocumentText, splitDocuments } from './documents.ts';
import { splitItems } from './list-items.ts';
import { type Draft, readObject } from './object.ts';
import { textOrigin } from './origin.ts';
import { type Finding, formatPath, type Plain, type Segment } from './place.ts';
import { byPosition } from './problem.ts';
import { allSteps, type Steps } from './steps.ts';
import type { AnyObject, ObjectKey, Problem } from './types.ts';
import { type YamlDocument, yamlSteps } from './yaml-document.ts';

export interface ParsedText {
  readonly objects: readonly AnyObject[];
  readonly problems: readonly Problem[];
  /** Objects that are written but wrong: their last good version stays. */
  readonly broken: readonly ObjectKey[];
  /** A document is so wrong that nobody can say which object it was. */
  readonly unreadable: boolean;
}

/** Documents by their text: one that did not change is not parsed again when its file is. */
export type ParseMemo = Map<string, DocumentContent>;

interface PlacedDraft {
  readonly draft: Draft;
  readonly base: readonly Segment[];
  /** Where its metadata begins. */
  readonly line: number;
}

/** What one document says; lines count from its own first. */
interface DocumentContent {
  readonly objects: readonly PlacedDraft[];
  readonly problems: readonly Omit<Problem, 'file'>[];
  readonly broken: readonly ObjectKey[];
  readonly unreadable: boolean;
}

/**
 * Reads a file of YAML or JSON documents. Never throws: each document stands for itself, and what is wrong is a Problem
 * with the line it is on. With `memo` (from the call before, for the same file) only changed documents are parsed.
 */
export const parseText = (text: string, file: string, memo?: ParseMemo): ParsedText =>
  allSteps(parseSteps(text, file, memo));

/** `parseText` in small steps, for files that would stall the process. */
export function* parseSteps(text: string, file: string, memo?: ParseMemo): Steps<ParsedText> {
  const objects: AnyObject[] = [];
  const problems: Problem[] = [];
  const broken: ObjectKey[] = [];
  let unreadable = false;
  const documents = yield* piecesOf(text.startsWith('\uFEFF') ? text.slice(1) : text);
  const most = defaultOf('fileDocuments');
  if (documents.length > most) {
    const message = `has ${documents.length} documents, only the first ${most} are read`;
    problems.push({ severity: 'error', file, line: documents[most]?.line ?? 1, message });
  }
  const seen: ParseMemo = new Map();
  for (const document of documents.slice(0, most)) {
    const { text: piece, line, unmarked } = document;
    const content = memo?.get(piece) ?? seen.get(piece) ?? (yield* parseDocument(document, file));
    seen.set(piece, content);
    for (const { draft, base, line: metadataLine } of content.objects) {
      const origin = textOrigin({ file, text: piece, firstLine: line, metadataLine, base });
      // A draft is an object of its kind without its origin.
      objects.push({ ...draft, origin } as AnyObject);
    }
    if (unmarked) problems.push({ severity: 'warning', file, line, message: UNMARKED });
    for (const problem of content.problems) problems.push({ ...problem, file, line: problem.line + line - 1 });
    broken.push(...content.broken);
    unreadable ||= content.unreadable;
    yield;
  }
  if (memo !== undefined) replaceAll(memo, seen);
  return { objects, problems: problems.sort(byPosition), broken, unreadable };
}

function* piecesOf(text: string): Steps<readonly DocumentText[]> {
  const pieces: DocumentText[] = [];
  for (const document of yield* splitDocuments(text)) {
    yield;
    const items = yield* splitItems(document);
    if (items === undefined) pieces.push(document);
    else for (const item of items) pieces.push(item);
  }
  return pieces;
}

const UNMARKED = 'another object begins here, want a line "---" before it';

const replaceAll = (memo: ParseMemo, next: ParseMemo): void => {
  memo.clear();
  for (const [piece, content] of next) memo.set(piece, content);
};

function* parseDocument({ text, isItem }: DocumentText, file: string): Steps<DocumentContent> {
  const document = yield* yamlSteps(text);
  if (document.errors.length > 0) return syntaxErrors(document);
  if (document.value === null && !isItem) return NOTHING;
  if (file.endsWith('.json') && isForeignJson(document.value)) return NOTHING;
  const objects: PlacedDraft[] = [];
  const problems: Omit<Problem, 'file'>[] = [];
  const broken: ObjectKey[] = [];
  let unreadable = false;
  for (const { value, base } of unpack(document.value)) {
    const { draft, key, title, findings } = readObject(value);
    for (const finding of findings.list) problems.push(located(finding, document, base, title));
    if (draft !== undefined) objects.push({ draft, base, line: document.lineOf([...base, 'metadata']) });
    else if (key !== undefined) broken.push(key);
    // Nobody can say whose it was (a mistyped apiVersion, say): no object of the file goes for it.
    else unreadable ||= findings.errors > 0;
    yield;
  }
  return { objects, problems, broken, unreadable };
}

const NOTHING: DocumentContent = { objects: [], problems: [], broken: [], unreadable: false };

/** A folder may hold other JSON (package.json): without apiVersion and kind it is nobody's typing error. */
const isForeignJson = (value: Plain): boolean =>
  !(value instanceof Map && (value.has('kind') || value.has('apiVersion')));

/** Half a document may still tell who it is; then only that object keeps its last good version. */
const syntaxErrors = (document: YamlDocument): DocumentContent => {
  const { key, title } = readObject(document.value);
  return {
    objects: [],
    problems: document.errors.slice(0, 3).map(({ line, message }) => ({
      severity: 'error',
      line,
      ...(title !== undefined && { object: title }),
      message: `YAML: ${message}`,
    })),
    broken: key === undefined ? [] : [key],
    unreadable: title === undefined,
  };
};

const located = (
  { severity, path, message }: Finding,
  document: YamlDocument,
  base: readonly Segment[],
  title: string | undefined,
): Omit<Problem, 'file'> => ({
  severity,
  line: document.lineOf([...base, ...path]),
  ...(title !== undefined && { object: title }),
  ...(path.length > 0 && { fieldPath: formatPath(path) }),
  message,
});

/** `kind: List` and its typed relatives hold objects in `items`. */
function* unpack(value: Plain): Generator<{ value: Plain; base: readonly Segment[] }> {
  const kind = value instanceof Map ? value.get('kind') : undefined;
  const items = value instanceof Map ? value.get('items') : undefined;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    yield { value, base: [] };
    return;
  }
  for (const [index, item] of items.entries()) yield { value: item, base: ['items', index] };
}
