import { INITIAL } from './codes.ts';
import { assertField } from './fields.ts';
import { FIRST_DYNAMIC, type Field, STATIC_FIELDS, sizeOf } from './hpack-static.ts';

/** RFC 7541 §7.1: what others on the same connection must not be able to guess at is in no table, here or further on. */
const SECRET: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie']);

/** Never the same twice: in a table they only take the place of others. */
const FLEETING: ReadonlySet<string> = new Set([
  'content-length',
  'date',
  'grpc-timeout',
  'traceparent',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-envoy-expected-rq-timeout-ms',
  'x-request-id',
]);

/** What is kept of fields that were sent once, to see which come again. */
const SEEN_FIELDS = 256;

/** Index of a name and of its values. */
interface Known {
  index: number;
  readonly values: Map<string, number>;
}

const statics = new Map<string, Known>();
for (const [index, { name, value }] of STATIC_FIELDS.entries()) {
  if (index === 0) continue;
  const known = statics.get(name);
  if (known === undefined) statics.set(name, { index, values: new Map([[value, index]]) });
  else known.values.set(value, index);
}

/** Grows to the largest block there was. */
let block = Buffer.allocUnsafeSlow(4_096);

/**
 * Header blocks of one direction of one connection (RFC 7541). A field goes into the table when it comes for the second time,
 * so that what is said once drives out nothing. Names and values have been looked at: one byte a character.
 */
export class HpackEncoder {
  #limit: number = INITIAL.tableSize;
  #size = 0;
  readonly #entries: Field[] = [];
  /** How many have been added to the table in all. */
  #added = 0;
  /** By name and value, the count at which a field was added. */
  readonly #known = new Map<string, Map<string, number>>();
  readonly #seen = new Set<string>();
  /** The smallest limit since the last block. */
  #least: number | undefined;
  #at = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. Never larger than at first. */
  set tableLimit(limit: number) {
    const own = Math.min(limit, INITIAL.tableSize);
    if (own === this.#limit) return;
    this.#limit = own;
    this.#evict(own);
    this.#least = Math.min(this.#least ?? own, own);
  }

  /** Throws for a field that cannot be sent. One that is in a table has been looked at. */
  check(fields: readonly string[]): void {
    for (let i = 0; i < fields.length; i += 2) {
      const [name = '', value = ''] = [fields[i], fields[i + 1]];
      if (this.#known.get(name)?.has(value) || statics.get(name)?.values.has(value)) continue;
      assertField(name, value);
    }
  }

  /** The block of a flat list, good until the next. */
  encode(fields: readonly string[]): Buffer {
    let most = 16;
    for (const text of fields) most += text.length + 12;
    if (block.length < most) block = Buffer.allocUnsafeSlow(most * 2);
    this.#at = 0;
    if (this.#least !== undefined) this.#announce(this.#least);
    for (let i = 0; i < fields.length; i += 2) this.#field(fields[i] ?? '', fields[i + 1] ?? '');
    return block.subarray(0, this.#at);
  }

  /**
   * RFC 7541 §4.2: no more than the smallest limit there was, then the one that holds. Nothing is the smallest of all, and Go takes
   * two sizes in a row only where the first of them empties its table.
   */
  #announce(least: number): void {
    if (least < this.#limit) {
      this.#evict(0);
      this.#number(0x20, 5, 0);
    }
    this.#number(0x20, 5, this.#limit);
    this.#least = undefined;
  }

  #field(name: string, value: string): void {
    const fixed = statics.get(name);
    const whole = fixed?.values.get(value) ?? this.#indexOf(name, value);
    if (whole !== undefined && !SECRET.has(name)) {
      this.#number(0x80, 7, whole);
      return;
    }
    const index = fixed?.index ?? 0;
    if (SECRET.has(name)) this.#number(0x10, 4, index);
    else if (this.#isWorthIt(name, value)) {
      this.#number(0x40, 6, index);
      this.#add(name, value);
    } else this.#number(0, 4, index);
    if (index === 0) this.#string(name);
    this.#string(value);
  }

  #indexOf(name: string, value: string): number | undefined {
    const count = this.#known.get(name)?.get(value);
    return count === undefined ? undefined : FIRST_DYNAMIC + this.#added - count;
  }

  #isWorthIt(name: string, value: string): boolean {
    if (FLEETING.has(name) || sizeOf(name, value) * 4 > this.#limit) return false;
    const key = `${name}:${value}`;
    if (this.#seen.delete(key)) return true;
    if (this.#seen.size >= SEEN_FIELDS) this.#seen.clear();
    this.#seen.add(key);
    return false;
  }

  #add(name: string, value: string): void {
    const size = sizeOf(name, value);
    this.#evict(this.#limit - size);
    this.#size += size;
    this.#entries.push({ name, value });
    const values = this.#known.get(name);
    this.#added++;
    if (values === undefined) this.#known.set(name, new Map([[value, this.#added]]));
    else values.set(value, this.#added);
  }

  #evict(limit: number): void {
    while (this.#size > limit) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      const { name, value } = oldest;
      this.#size -= sizeOf(name, value);
      const values = this.#known.get(name);
      values?.delete(value);
      if (values?.size === 0) this.#known.delete(name);
    }
  }

  /** RFC 7541 §5.1 */
  #number(pattern: number, bits: number, value: number): void {
    const most = (1 << bits) - 1;
    if (value < most) {
      block[this.#at++] = pattern | value;
      return;
    }
    block[this.#at++] = pattern | most;
    let left = value - most;
    for (; left > 127; left >>>= 7) block[this.#at++] = (left & 127) | 128;
    block[this.#at++] = left;
  }

  #string(text: string): void {
    this.#number(0, 7, text.length);
    this.#at += block.write(text, this.#at, 'latin1');
  }
}
