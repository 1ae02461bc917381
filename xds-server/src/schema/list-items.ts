import type { DocumentText } from './documents.ts';
import type { Steps } from './steps.ts';
import { readYamlSafely } from './yaml-document.ts';

/**
 * The items of a `kind: List` document (`kubectl get -o yaml` or `-o json`), each cut out as a text of its own: a dump of
 * a cluster is one document of many megabytes, and one wrong item must not touch the others. Undefined where the text is
 * no such list or cannot be cut for certain; then it is read in one piece.
 */
export function* splitItems(document: DocumentText): Steps<readonly DocumentText[] | undefined> {
  const { text } = document;
  // An alias may name an anchor of another item.
  if (text.includes('&') && /(?:^|[\s:,[{?-])&[^\s,[\]{}]/.test(text)) return undefined;
  const cut = yield* /^\s*\{/.test(text) ? cutFlow(text) : cutBlock(text);
  yield;
  return cut !== undefined && isList(cut.frame) ? numbered(document, cut.items) : undefined;
}

interface Cut {
  /** The text without its items. */
  readonly frame: string;
  readonly items: readonly { readonly at: number; readonly text: string }[];
}

const isList = (frame: string): boolean => {
  if (frame.length > MOST_FRAME) return false;
  const { value, errors } = readYamlSafely(frame);
  const kind = value instanceof Map ? value.get('kind') : undefined;
  return errors.length === 0 && typeof kind === 'string' && kind.endsWith('List');
};

/** Nothing but apiVersion, kind and a resourceVersion stands around the items. */
const MOST_FRAME = 10_000;

const numbered = ({ text, line }: DocumentText, items: Cut['items']): readonly DocumentText[] => {
  let at = 0;
  let number = line;
  return items.map((item) => {
    for (let next = text.indexOf('\n', at); next !== -1 && next < item.at; next = text.indexOf('\n', at)) {
      number += 1;
      at = next + 1;
    }
    return { text: item.text, line: number, unmarked: false, isItem: true };
  });
};

/**
 * A block sequence below `items:`. Whatever an item holds is indented deeper than its dash (YAML 1.2 §8.2.1), so a dash
 * at that indentation begins the next and anything else there or to the left ends the list.
 */
function* cutBlock(text: string): Steps<Cut | undefined> {
  const header = /^items:[ \t]*(?:#.*)?\r?$/m.exec(text);
  if (header === null) return undefined;
  const begin = header.index + header[0].length + 1;
  const starts: number[] = [];
  let indent = -1;
  let end = text.length;
  let lines = 0;
  for (const line of text.slice(begin).matchAll(/^( *)([^\s#].?)/gm)) {
    lines += 1;
    if (lines % A_STEP === 0) yield;
    const [, spaces = '', first = ''] = line;
    const isDash = /^-\s?$/.test(first);
    if (indent === -1 && isDash) indent = spaces.length;
    if (spaces.length > indent && indent !== -1) continue;
    if (isDash && spaces.length === indent) {
      starts.push(begin + line.index + indent);
      continue;
    }
    end = begin + line.index;
    break;
  }
  const items = starts.map((at, index) => ({
    at,
    text: `${' '.repeat(indent + 1)}${text.slice(at + 1, starts[index + 1] ?? end)}`,
  }));
  // A block scalar may count its indentation from the dash; no object is one.
  if (items.some((item) => /^\s*[|>!]/.test(item.text))) return undefined;
  return { frame: `${text.slice(0, header.index)}items: []\n${text.slice(end)}`, items };
}

/** Lines or tokens. */
const A_STEP = 10_000;

/** The array `items` of a JSON object; anything that is YAML and not JSON is left alone. */
function* cutFlow(text: string): Steps<Cut | undefined> {
  const token = /"(?:[^"\\\n]|\\.)*"|[{}[\],:]|[\w+.-]+|\s+/y;
  const items: { at: number; text: string }[] = [];
  let depth = 0;
  let key = '';
  let begin = -1;
  let end = -1;
  let from = -1;
  let tokens = 0;
  while (token.lastIndex < text.length) {
    tokens += 1;
    if (tokens % A_STEP === 0) yield;
    const at = token.lastIndex;
    const [found] = token.exec(text) ?? [];
    if (found === undefined) return undefined;
    const inside = begin !== -1 && end === -1;
    if (found === '{' || found === '[') depth += 1;
    if (found === '}' || found === ']') depth -= 1;
    if (inside && ((depth === 2 && found === ',') || depth === 1)) {
      const item = from === -1 ? '' : text.slice(from, at).trimEnd();
      if (item === '' && (found === ',' || items.length > 0)) return undefined;
      if (item !== '') items.push({ at: from, text: item });
      from = -1;
      if (depth === 1) end = at;
    } else if (inside && from === -1 && !/^\s/.test(found)) from = at;
    if (depth === 1 && found.startsWith('"')) key = found;
    if (depth === 2 && found === '[' && key === '"items"' && begin === -1) begin = at + 1;
  }
  if (end === -1) return undefined;
  return { frame: text.slice(0, begin) + text.slice(end), items };
}
