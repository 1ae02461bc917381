/** What a ClientHello tells before anything is decrypted (RFC 8446 §4.1.2): enough to choose a filter chain, and nothing is trusted. */
export interface ClientHello {
  /** Protocols the client offers, its favourite first (RFC 7301). */
  readonly alpn: readonly string[];
  /** RFC 6066 §3. */
  readonly serverName?: string;
}

/** `more`: nothing can be said before there are `bytes` in all. `other`: this is no TLS. `malformed`: it began as TLS. */
export type HelloReading =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'more'; readonly bytes: number }
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed'; readonly reason: string };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
/** RFC 8446 §5.1. */
const LONGEST_RECORD = 16_384;
const SERVER_NAME = 0;
const ALPN = 16;
/** No client spreads a greeting over so many records; each costs a look. */
const MOST_RECORDS = 64;

/** Reads the first bytes of a connection. `longest`: of the greeting, in bytes; a longer one is malformed. */
export function readClientHello(bytes: Uint8Array, longest: number): HelloReading {
  if (bytes.length === 0) return { kind: 'more', bytes: 1 };
  if (bytes[0] !== HANDSHAKE_RECORD || (bytes.length > 1 && bytes[1] !== 3)) return { kind: 'other' };
  const message = joinRecords(bytes, longest);
  return message instanceof Uint8Array ? readMessage(message) : message;
}

/** The greeting without its record heads, once all of it is there. */
function joinRecords(bytes: Uint8Array, longest: number): Uint8Array | HelloReading {
  const parts: Uint8Array[] = [];
  let length = 0;
  let whole: number | undefined;
  for (let at = 0; parts.length < MOST_RECORDS; ) {
    if (bytes.length < at + RECORD_HEAD) return { kind: 'more', bytes: at + RECORD_HEAD };
    const size = uint16(bytes, at + 3);
    if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3) return malformed('a record that is no handshake');
    if (size === 0 || size > LONGEST_RECORD) return malformed(`a record of ${size} bytes`);
    const end = at + RECORD_HEAD + size;
    // The message's head is looked at before its record is whole: a length that is too long is not waited for.
    const part = bytes.subarray(at + RECORD_HEAD, end);
    parts.push(part);
    length += part.length;
    if (whole === undefined && length >= MESSAGE_HEAD) {
      const head = Buffer.concat(parts, MESSAGE_HEAD);
      if (head[0] !== CLIENT_HELLO) return malformed('a handshake that does not begin with ClientHello');
      whole = MESSAGE_HEAD + uint16(head, 2) + (head[1] ?? 0) * 65_536;
      if (whole > longest) return malformed(`a ClientHello of ${whole} bytes`);
    }
    if (whole !== undefined && length >= whole) return Buffer.concat(parts, whole).subarray(MESSAGE_HEAD);
    if (bytes.length < end) return { kind: 'more', bytes: end };
    at = end;
  }
  return malformed('a ClientHello in too many records');
}

function readMessage(message: Uint8Array): HelloReading {
  const body = new Reader(message);
  body.skip(2 + 32);
  body.vector(1);
  body.vector(2);
  body.vector(1);
  // TLS 1.2 allows a greeting without extensions (RFC 5246 §7.4.1.2).
  if (!body.failed && body.rest === 0) return { kind: 'hello', hello: { alpn: [] } };
  const extensions = body.vector(2);
  let alpn: readonly string[] = [];
  let serverName: string | undefined;
  while (extensions.rest > 0 && !extensions.failed) {
    const type = extensions.number(2);
    const value = extensions.vector(2);
    if (type === ALPN) alpn = readProtocols(value);
    if (type === SERVER_NAME) serverName = readServerName(value);
    if (value.failed) return malformed('an extension that is cut off');
  }
  if (body.failed || extensions.failed) return malformed('a ClientHello that is cut off');
  return { kind: 'hello', hello: { alpn, ...(serverName !== undefined && { serverName }) } };
}

function readProtocols(value: Reader): readonly string[] {
  const list = value.vector(2);
  const names: string[] = [];
  while (list.rest > 0 && !list.failed) names.push(list.vector(1).text());
  if (list.failed) value.failed = true;
  return names;
}

function readServerName(value: Reader): string | undefined {
  const list = value.vector(2);
  const type = list.number(1);
  const name = list.vector(2).text();
  return list.failed || type !== 0 ? undefined : name.toLowerCase();
}

const malformed = (reason: string): HelloReading => ({ kind: 'malformed', reason });

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);

/** Never reads past its end: what is missing makes it `failed`, and empty. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    this.#take(count);
  }

  number(size: number): number {
    return this.#take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** What stands behind a length of `size` bytes. */
  vector(size: number): Reader {
    const inner = new Reader(this.#take(this.number(size)));
    inner.failed = this.failed;
    return inner;
  }

  text(): string {
    return Buffer.from(this.#take(this.rest)).toString('latin1');
  }

  #take(count: number): Uint8Array {
    if (count > this.rest) {
      this.failed = true;
      this.#at = this.#bytes.length;
      return new Uint8Array(0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
