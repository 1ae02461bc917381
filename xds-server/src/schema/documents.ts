import type { Steps } from './steps.ts';

/** One YAML document of a file, cut out so that a syntax error in it cannot touch its neighbours. */
export interface DocumentText {
  readonly text: string;
  /** 1-based line of the file on which `text` begins. */
  readonly line: number;
  /** The line between it and the object before is missing; it is read as if it were there. */
  readonly unmarked: boolean;
  /** It was an item of a List, where nothing at all would be an error. */
  readonly isItem?: boolean;
}

/**
 * Cuts at document markers. `---` and `...` at the beginning of a line are never content in YAML (c-forbidden), not
 * even inside a block scalar or a quoted string, so no parser is needed. Text after `--- ` stays with its document.
 *
 * Objects pasted below each other without a marker (common in documentation) are told by a second `apiVersion` or
 * `kind` at the left margin, which no single object has.
 */
export function* splitDocuments(text: string): Steps<readonly DocumentText[]> {
  const documents: DocumentText[] = [];
  const frame = new Set<string>();
  let piece = { start: 0, line: 1, unmarked: false };
  const cut = (end: number, next: typeof piece): void => {
    const { start, line, unmarked } = piece;
    const content = text.slice(start, end);
    if (!isBlank(content)) documents.push({ text: content, line, unmarked });
    piece = next;
    frame.clear();
  };
  for (let at = 0, line = 1; at < text.length; line += 1) {
    if (line % LINES_A_STEP === 0) yield;
    const newline = text.indexOf('\n', at);
    if (isMarker(text, at)) cut(at, { start: at + 3, line, unmarked: false });
    const key = frameKey(text, at);
    if (key !== undefined) {
      if (frame.has(key)) cut(at, { start: at, line, unmarked: true });
      frame.add(key);
    }
    at = newline === -1 ? text.length : newline + 1;
  }
  cut(text.length, piece);
  return documents;
}

const LINES_A_STEP = 10_000;

const frameKey = (text: string, at: number): string | undefined =>
  text.startsWith('apiVersion:', at) ? 'apiVersion' : text.startsWith('kind:', at) ? 'kind' : undefined;

const isMarker = (text: string, at: number): boolean => {
  if (!text.startsWith('---', at) && !text.startsWith('...', at)) return false;
  const after = text[at + 3];
  return after === undefined || after === '\n' || after === '\r' || after === ' ' || after === '\t';
};

/** Nothing but comments and YAML directives. */
const isBlank = (text: string): boolean => !/^(?!%[A-Z])[^\S\n]*[^\s#]/m.test(text);
