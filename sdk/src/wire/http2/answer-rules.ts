import { ERROR } from './codes.ts';
import { type AnswerHead, contentLength, readHead, takeFields } from './fields.ts';

/** What an answer may consist of, in this order: informational heads, the head, data, trailers (RFC 9113 §8.1). */
export class AnswerRules {
  /** RFC 9110: an answer to HEAD has the length of what it leaves out. */
  readonly #isHead: boolean;
  hasHead = false;
  #lengthLeft: number | undefined;

  constructor(isHead: boolean) {
    this.#isHead = isHead;
  }

  /** A head, or the code of what is wrong with it. */
  head(fields: string[], isEnd: boolean): AnswerHead | number {
    const head = readHead(fields);
    if (head === undefined || (head.status < 200 && isEnd)) return ERROR.protocol;
    if (head.status < 200) return head;
    this.hasHead = true;
    this.#lengthLeft = contentLength(head.headers);
    if (Number.isNaN(this.#lengthLeft)) return ERROR.protocol;
    // RFC 9110 §6.4.1: these have no content, whatever length they name (RFC 9113 §8.1.1).
    if (this.#isHead || head.status === 204 || head.status === 304) this.#lengthLeft = 0;
    return head;
  }

  areTrailers(fields: string[], isEnd: boolean): boolean {
    return isEnd && takeFields(fields);
  }

  /** False: there is more than the head has said. */
  takes(length: number): boolean {
    if (this.#lengthLeft === undefined) return true;
    this.#lengthLeft -= length;
    return this.#lengthLeft >= 0;
  }

  /** False: there is less than the head has said. */
  get mayEnd(): boolean {
    return this.#lengthLeft === undefined || this.#lengthLeft === 0;
  }
}
