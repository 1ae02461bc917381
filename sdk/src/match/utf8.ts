/**
 * Text as RE2 sees it. Header values arrive with one character a byte (latin1, as node:http and undici give them); bytes
 * that are no UTF-8 cannot match any expression but `\C`. ASCII, nearly everything, is returned as it is.
 */
export function utf8Text(text: string): string | undefined {
  let highest = 0;
  for (let i = 0; i < text.length; i++) highest |= text.charCodeAt(i);
  if (highest < 0x80) return text;
  // A character above a byte: the text never was bytes.
  return highest > 0xff ? text : decode(text);
}

function decode(bytes: string): string | undefined {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes.charCodeAt(i++);
    const more =
      lead < 0x80
        ? 0
        : lead >= 0xc2 && lead < 0xe0
          ? 1
          : lead >= 0xe0 && lead < 0xf0
            ? 2
            : lead >= 0xf0 && lead < 0xf5
              ? 3
              : -1;
    if (more < 0) return undefined;
    let code = more === 0 ? lead : lead & (0x3f >> more);
    for (let k = 0; k < more; k++) {
      const next = bytes.charCodeAt(i++);
      if (!((next & 0xc0) === 0x80)) return undefined;
      code = (code << 6) | (next & 0x3f);
    }
    if (!isShortest(code, more)) return undefined;
    text += String.fromCodePoint(code);
  }
  return text;
}

/** No overlong form, no surrogate, nothing beyond U+10FFFF. */
function isShortest(code: number, more: number): boolean {
  if (more === 2) return code >= 0x800 && !(code >= 0xd800 && code <= 0xdfff);
  return more !== 3 || (code >= 0x10000 && code <= 0x10ffff);
}

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
