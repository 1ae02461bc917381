import { ConnectionFault, ERROR, INITIAL } from './codes.ts';
import { FIRST_DYNAMIC, type Field, STATIC_FIELDS, sizeOf } from './hpack-static.ts';
import { decodeHuffman } from './huffman.ts';

/** More bytes than a number of HPACK has that anybody needs. */
const LONGEST_NUMBER = 2 ** 28;

const fault = (what: string): ConnectionFault => new ConnectionFault(ERROR.compression, `HPACK: ${what}`);

/** Header blocks of one direction of one connection (RFC 7541). Any fault is the whole connection's: the tables differ from then on. */
export class HpackDecoder {
  /** What the peer was told its table may have. */
  readonly #maxTable: number;
  readonly #maxList: number;
  readonly #maxFields: number;
  /** What the peer may make of its table: HTTP/2's as long as it may not have read ours. */
  #mostTable: number;
  /** What it has made of it. More than at first it has to say itself (RFC 7541 §4.2), however much we allow. */
  #tableLimit: number = INITIAL.tableSize;
  #tableSize = 0;
  /** The newest last; those before `#first` are gone. */
  #table: Field[] = [];
  #first = 0;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;

  constructor(limits: { readonly maxTable: number; readonly maxList: number; readonly maxFields: number }) {
    this.#maxTable = limits.maxTable;
    this.#mostTable = Math.max(limits.maxTable, INITIAL.tableSize);
    this.#maxList = limits.maxList;
    this.#maxFields = limits.maxFields;
  }

  /** The peer has taken our SETTINGS. Where its table is larger than they allow, its next block begins with less (RFC 9113 §4.3.1). */
  acknowledged(): void {
    this.#mostTable = this.#maxTable;
  }

  /** A flat list; undefined where it is larger than may be, read to its end all the same. Throws ConnectionFault. */
  decode(bytes: Buffer, from: number, to: number): string[] | undefined {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
    const fields: string[] = [];
    let size = 0;
    let isFirst = true;
    while (this.#at < to) {
      const byte = bytes[this.#at] ?? 0;
      if ((byte & 0xe0) === 0x20) {
        if (!isFirst) throw fault('a table size in the middle of a block');
        this.#resize(this.#number(5));
        continue;
      }
      isFirst = false;
      if (this.#tableLimit > this.#mostTable) throw fault('a table that was to become smaller');
      const field = (byte & 0x80) === 0 ? this.#literal(byte) : this.#indexed(this.#number(7));
      size += sizeOf(field.name, field.value);
      if (size <= this.#maxList && fields.length < 2 * this.#maxFields) fields.push(field.name, field.value);
      else size = Number.POSITIVE_INFINITY;
    }
    this.#bytes = EMPTY;
    return size > this.#maxList ? undefined : fields;
  }

  #literal(byte: number): Field {
    const isKept = (byte & 0x40) !== 0;
    const index = this.#number(isKept ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#indexed(index).name;
    const field = { name, value: this.#string() };
    if (isKept) this.#add(field);
    return field;
  }

  #indexed(index: number): Field {
    const field = index < FIRST_DYNAMIC ? STATIC_FIELDS[index] : this.#dynamic(index - FIRST_DYNAMIC);
    if (field === undefined || index === 0) throw fault(`there is no field ${index}`);
    return field;
  }

  #dynamic(age: number): Field | undefined {
    const at = this.#table.length - 1 - age;
    return at < this.#first ? undefined : this.#table[at];
  }

  #add(field: Field): void {
    const size = sizeOf(field.name, field.value);
    this.#evict(this.#tableLimit - size);
    // RFC 7541 §4.4: what is larger than the table empties it.
    if (size > this.#tableLimit) return;
    this.#table.push(field);
    this.#tableSize += size;
  }

  #resize(limit: number): void {
    if (limit > this.#mostTable) throw fault(`a table of ${limit} bytes, more than was allowed`);
    this.#tableLimit = limit;
    this.#evict(limit);
  }

  #evict(limit: number): void {
    while (this.#tableSize > limit && this.#first < this.#table.length) {
      const { name, value } = this.#table[this.#first++] as Field;
      this.#tableSize -= sizeOf(name, value);
    }
    if (this.#first < 64 || this.#first * 2 < this.#table.length) return;
    this.#table = this.#table.slice(this.#first);
    this.#first = 0;
  }

  /** RFC 7541 §5.1, with a prefix of so many bits. */
  #number(bits: number): number {
    const most = (1 << bits) - 1;
    const first = (this.#bytes[this.#at++] ?? 0) & most;
    if (first < most) return first;
    let value = first;
    for (let shift = 0; this.#at < this.#end && shift <= 21; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value < LONGEST_NUMBER ? value : this.#cut();
    }
    return this.#cut();
  }

  #string(): string {
    if (this.#at >= this.#end) return this.#cut();
    const isCoded = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#number(7);
    const from = this.#at;
    const to = from + length;
    if (to > this.#end) return this.#cut();
    this.#at = to;
    return isCoded ? decodeHuffman(this.#bytes, from, to) : this.#bytes.toString('latin1', from, to);
  }

  #cut(): never {
    throw fault('a block that is cut, or a number without an end');
  }
}

const EMPTY = Buffer.alloc(0);
