/** What an answer's header block holds that may be one (RFC 9113 §8); anything else is malformed. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: string[];
}

/** RFC 9113 §8.2.2: of a connection, which HTTP/2 has no such words for. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** Names that are known to be such; as many as there can be headers that anybody has heard of, and none that is long: they stay. */
const names = new Set<string>();
const KNOWN_NAMES = 1_024;
const LONGEST_KNOWN = 64;

function isName(name: string): boolean {
  if (names.has(name)) return true;
  if (!NAME.test(name)) return false;
  if (name.length <= LONGEST_KNOWN && names.size < KNOWN_NAMES) names.add(name);
  return true;
}

export const isValue = (value: string): boolean => !NOT_IN_VALUE.test(value);

/** undefined: malformed. `:status` comes first and alone. */
export function readHead(fields: string[]): AnswerHead | undefined {
  const [first, text = ''] = fields;
  if (first !== ':status' || !STATUS.test(text)) return undefined;
  const status = Number(text);
  if (status === 101 || !takeFields(fields, 2)) return undefined;
  return { status, headers: fields.slice(2) };
}

/** Digits, and not `1e2`. */
const STATUS = /^[1-5]\d\d$/;

/** Trailers, or what stands behind `:status`: false where there is a further pseudo-header, or a name in upper case. */
export function takeFields(fields: string[], from = 0): boolean {
  for (let i = from; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (!isName(name) || NOT_HERE.has(name) || !isValue(value)) return false;
    // RFC 9113 §8.2.1 forbids it, and servers send it (Go's net/http): HTTP/1.1 would take it away.
    fields[i + 1] = bare(value);
  }
  return true;
}

/** Without spaces and tabs at either end. */
export function bare(value: string): string {
  if (!isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(value.length - 1))) return value;
  let [from, to] = [0, value.length];
  while (from < to && isSpace(value.charCodeAt(from))) from++;
  while (to > from && isSpace(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

const isSpace = (code: number): boolean => code === 32 || code === 9;

/** Throws for a field that cannot be sent: its name is no token, or its value would end the line in HTTP/1.1. */
export function assertField(name: string, value: string): void {
  if (!(name.charCodeAt(0) === COLON ? isName(name.slice(1)) : isName(name))) {
    throw new Error(`"${name}" is no name of a header`);
  }
  if (!isValue(value)) throw new Error(`the value of ${name} has a character that no header may have`);
}

const COLON = 58;

/** RFC 9110 §8.6; undefined where there is none, NaN where it says nothing or two things. */
export function contentLength(headers: readonly string[]): number | undefined {
  let length: number | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-length') continue;
    const value = headers[i + 1] ?? '';
    const own = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    length = length === undefined || length === own ? own : Number.NaN;
  }
  return length;
}
