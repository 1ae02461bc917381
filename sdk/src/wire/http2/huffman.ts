import { ConnectionFault, ERROR } from './codes.ts';

/**
 * The code of RFC 7541 Appendix B: the lengths of its 256 symbols and of EOS, each a digit of base 36. The code is canonical:
 * codes of one length follow each other in the order of their symbols, and the lengths are all there is to know.
 */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu';

const EOS = 256;
/** In a table: no code begins so, and none ends here but in another table. */
const NOTHING = 0;

/** Tables of 256 entries, by the next eight bits: `symbol << 4 | bits` and 1 << 16, or the negative number of the next table. */
const tables: Int32Array[] = [];

function newTable(): number {
  tables.push(new Int32Array(256).fill(NOTHING));
  return tables.length - 1;
}

function build(): void {
  newTable();
  let code = 0;
  for (let length = 5; length <= 30; length++) {
    code <<= 1;
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (Number.parseInt(LENGTHS[symbol] ?? '', 36) === length) place(symbol, code++, length);
    }
  }
}

function place(symbol: number, code: number, length: number): void {
  // EOS in a string is an error (RFC 7541 §5.2), as is what begins no code.
  if (symbol === EOS) return;
  let table = tables[0] as Int32Array;
  let left = length;
  while (left > 8) {
    const byte = (code >>> (left - 8)) & 0xff;
    if (table[byte] === NOTHING) table[byte] = -newTable();
    table = tables[-(table[byte] ?? 0)] as Int32Array;
    left -= 8;
  }
  const first = (code << (8 - left)) & 0xff;
  table.fill(LEAF | (symbol << 4) | left, first, first + (1 << (8 - left)));
}

const LEAF = 1 << 16;
const invalid = (): ConnectionFault => new ConnectionFault(ERROR.compression, 'a string is not in the code of HPACK');

/** Grows to the longest string there was; a header block is bounded. */
let scratch = Buffer.allocUnsafeSlow(1_024);

/** The string in `bytes[from, to)`. Throws ConnectionFault. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string {
  if (tables.length === 0) build();
  // The shortest code has five bits.
  const most = Math.ceil(((to - from) * 8) / 5);
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most * 2);
  const root = tables[0] as Int32Array;
  let [table, bits, held, symbolBits, written] = [root, 0, 0, 0, 0];
  for (let at = from; at < to; at++) {
    bits = ((bits << 8) | (bytes[at] ?? 0)) & 0xffff;
    held += 8;
    symbolBits += 8;
    while (held >= 8) {
      const entry = table[(bits >>> (held - 8)) & 0xff] ?? NOTHING;
      if (entry === NOTHING) throw invalid();
      if (entry > 0) {
        scratch[written++] = (entry >>> 4) & 0xff;
        held -= entry & 0xf;
        symbolBits = held;
        table = root;
      } else {
        table = tables[-entry] as Int32Array;
        held -= 8;
      }
    }
  }
  while (held > 0) {
    const entry = table[(bits << (8 - held)) & 0xff] ?? NOTHING;
    if (entry === NOTHING) throw invalid();
    if (entry < 0 || (entry & 0xf) > held) break;
    scratch[written++] = (entry >>> 4) & 0xff;
    held -= entry & 0xf;
    symbolBits = held;
    table = root;
  }
  // RFC 7541 §5.2: padding is the beginning of EOS, all ones, and shorter than a byte.
  const ones = (1 << held) - 1;
  if (symbolBits > 7 || (bits & ones) !== ones) throw invalid();
  return scratch.toString('latin1', 0, written);
}
