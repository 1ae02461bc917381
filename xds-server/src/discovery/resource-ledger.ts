/** One response, shared by everything that was in it. */
export interface Sending {
  /** 1 for the first response of the type on this stream. */
  readonly number: number;
  /** Wall clock. */
  readonly atMs: number;
}

export interface Refusal {
  readonly reason: string;
  readonly atMs: number;
}

/** What became of the newest version of one resource. */
export type ResourceFate =
  | { readonly kind: 'asked' }
  /** Sent, and the client has not spoken since. */
  | { readonly kind: 'sent'; readonly atMs: number }
  | { readonly kind: 'accepted'; readonly atMs: number }
  | { readonly kind: 'refused'; readonly atMs: number; readonly refusal: Refusal };

const ASKED: ResourceFate = { kind: 'asked' };
/** Names that were given up are swept out once they outnumber those that are wanted. */
const SPARE_NAMES = 64;

/**
 * Which resources of one type a client has taken, one by one. A response is answered as a whole; a client that refuses it keeps what
 * was good of it and names what was not (gRFC A46), so only the names that stand in its error count as refused.
 */
export class ResourceLedger {
  readonly #sent = new Map<string, Sending>();
  readonly #refused = new Map<string, Refusal>();
  #answered = 0;

  /** These names were in a response, as resources or as gone; `wanted` are all that are subscribed to. */
  send(names: Iterable<string>, sending: Sending, wanted: { readonly size: number; has(name: string): boolean }): void {
    for (const name of names) {
      this.#sent.set(name, sending);
      this.#refused.delete(name);
    }
    if (this.#sent.size <= 2 * wanted.size + SPARE_NAMES) return;
    for (const name of this.#sent.keys()) {
      if (wanted.has(name)) continue;
      this.#sent.delete(name);
      this.#refused.delete(name);
    }
  }

  /** The client spoke of this response; everything before it is answered too. */
  answer(number: number, refusal: Refusal | undefined): void {
    this.#answered = Math.max(this.#answered, number);
    if (refusal === undefined) return;
    const names = [...this.#sent].filter(([, sending]) => sending.number === number).map(([name]) => name);
    const named = names.filter((name) => isNamed(refusal.reason, name));
    for (const name of named.length > 0 ? named : names) this.#refused.set(name, refusal);
  }

  fate(name: string): ResourceFate {
    const sending = this.#sent.get(name);
    if (sending === undefined) return ASKED;
    const { number, atMs } = sending;
    const refusal = this.#refused.get(name);
    if (refusal !== undefined) return { kind: 'refused', atMs, refusal };
    return { kind: number > this.#answered ? 'sent' : 'accepted', atMs };
  }
}

/** `a:80` is not named by a text on `a:8080`. */
function isNamed(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const isPart = isNamePart(text[at - 1]) || isNamePart(text[at + name.length], text[at + name.length + 1]);
    if (!isPart) return true;
  }
  return false;
}

/** A full stop or a colon at the end of a name ends the sentence, unless the name goes on behind it. */
function isNamePart(character: string | undefined, next?: string): boolean {
  if (character === undefined) return false;
  if (/[.:]/.test(character)) return next !== undefined && /\w/.test(next);
  return /[\w|/%-]/.test(character);
}
