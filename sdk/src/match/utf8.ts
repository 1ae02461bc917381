/**
 * Text of the configuration as it looks on the wire: its UTF-8 bytes, one character each. Comparing bytes with bytes is
 * what Envoy does, and it makes `ü` in a rule and a raw byte FC in a header different things.
 */
export function utf8Bytes(text: string): string {
  let bytes = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? char : encode(code);
  }
  return bytes;
}

function encode(code: number): string {
  const tail = (shift: number): number => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), tail(0));
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), tail(6), tail(0));
  return String.fromCharCode(0xf0 | (code >> 18), tail(12), tail(6), tail(0));
}
