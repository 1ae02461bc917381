import type { Segment } from './place.ts';
import { parsePath } from './place.ts';
import type { Origin } from './types.ts';
import { readYamlSafely, type YamlDocument } from './yaml-document.ts';

/**
 * Keeps the document's text and reads it again when a line is asked for (problems, explain): tens of thousands of
 * objects would otherwise hold their syntax trees for nothing.
 */
class TextOrigin implements Origin {
  readonly file: string;
  readonly #text: string;
  readonly #firstLine: number;
  readonly #metadataLine: number;
  readonly #base: readonly Segment[];
  #document: WeakRef<YamlDocument> | undefined;

  constructor({ file, text, firstLine, metadataLine, base }: TextPosition) {
    this.file = file;
    this.#text = text;
    this.#firstLine = firstLine;
    this.#metadataLine = metadataLine;
    this.#base = base;
  }

  /** Whether every line it could give is the same. */
  equals(other: Origin): boolean {
    if (!(other instanceof TextOrigin) || this.file !== other.file || this.#firstLine !== other.#firstLine)
      return false;
    return this.#text === other.#text && this.#base.join() === other.#base.join();
  }

  line(fieldPath: string): number {
    if (fieldPath === 'metadata') return this.#firstLine - 1 + this.#metadataLine;
    let document = this.#document?.deref();
    if (document === undefined) {
      document = readYamlSafely(this.#text);
      this.#document = new WeakRef(document);
    }
    return this.#firstLine - 1 + document.lineOf([...this.#base, ...parsePath(fieldPath)]);
  }
}

export interface TextPosition {
  readonly file: string;
  readonly text: string;
  /** Line of the file on which `text` begins. */
  readonly firstLine: number;
  /** Line of `text` on which the object's metadata begins: asked for the most, so it is kept. */
  readonly metadataLine: number;
  /** Where the object stands in the document: empty, or `items`, n in a List. */
  readonly base: readonly Segment[];
}

export const textOrigin = (position: TextPosition): Origin => new TextOrigin(position);

export const samePosition = (a: Origin, b: Origin): boolean => a === b || (a instanceof TextOrigin && a.equals(b));

/** Of objects that no text was written for (made by the control plane, or given as values). */
export const originOf = (file: string): Origin => ({ file, line: () => 1 });
