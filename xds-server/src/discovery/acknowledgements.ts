/** The ACK/NACK book of one type on one stream: what was sent, what the client said to it. */
export type TypeStatus =
  | { readonly kind: 'NOT_SENT' }
  | { readonly kind: 'SYNCED'; readonly version: string }
  /** Sent and not answered yet. */
  | { readonly kind: 'STALE'; readonly sent: string; readonly acknowledged: string | undefined }
  | {
      readonly kind: 'NACK';
      readonly version: string;
      readonly reason: string;
      readonly acknowledged: string | undefined;
    };

export class Acknowledgements {
  #nonce = '';
  #counter = 0;
  #sent: string | undefined;
  #acknowledged: string | undefined;
  #refusal: string | undefined;
  #answered = true;
  /** The last response only repeats: an ACK of it says nothing new. */
  #isRepetition = false;

  /** How many responses were sent. */
  get count(): number {
    return this.#counter;
  }

  /** Which response a nonce speaks of; 0: none of ours. */
  numberOf(nonce: string): number {
    const number = Number.parseInt(nonce, 36);
    return number > 0 && number <= this.#counter ? number : 0;
  }

  /** The nonce of the next response, which holds `version`. */
  send(version: string): string {
    this.#counter++;
    this.#nonce = this.#counter.toString(36);
    this.#sent = version;
    this.#isRepetition = false;
    this.#answered = false;
    return this.#nonce;
  }

  /** The nonce of a response that repeats what was answered: what the client said to it still stands. */
  repeat(): string {
    this.#isRepetition = true;
    this.#counter++;
    this.#nonce = this.#counter.toString(36);
    return this.#nonce;
  }

  /** The last version that the client took. */
  get acknowledged(): string | undefined {
    return this.#acknowledged;
  }

  /** What a request's nonce says about it. A stale one speaks of a response that a newer one has overtaken. */
  classify(nonce: string): 'initial' | 'current' | 'stale' {
    if (nonce === '') return 'initial';
    return nonce === this.#nonce ? 'current' : 'stale';
  }

  /** Whether the last response held this version. */
  isSent(version: string): boolean {
    return version === this.#sent;
  }

  /** The client answered the last response; `refusal` is its error detail. False where it had answered before. */
  answer(refusal: string | undefined): boolean {
    if (this.#answered && !(this.#isRepetition && refusal !== undefined)) return false;
    this.#isRepetition = false;
    this.#answered = true;
    this.#refusal = refusal;
    if (refusal === undefined) this.#acknowledged = this.#sent;
    return true;
  }

  get status(): TypeStatus {
    if (this.#sent === undefined) return { kind: 'NOT_SENT' };
    if (!this.#answered) return { kind: 'STALE', sent: this.#sent, acknowledged: this.#acknowledged };
    if (this.#refusal !== undefined)
      return { kind: 'NACK', version: this.#sent, reason: this.#refusal, acknowledged: this.#acknowledged };
    return { kind: 'SYNCED', version: this.#sent };
  }
}
