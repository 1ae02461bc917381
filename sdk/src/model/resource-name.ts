/**
 * Names of xDS resources. Most are plain text; one that begins with `xdstp:` is a URI that says which control plane has it:
 * `xdstp://AUTHORITY/TYPE/ID?CONTEXT` (xRFC TP1, gRFC A47). Two spellings of one name are one name: the canonical one.
 */
export interface XdstpName {
  readonly authority: string;
  /** `envoy.config.listener.v3.Listener`. */
  readonly type: string;
  /** Percent-encoded, canonical; may hold `/`. */
  readonly id: string;
  /** Context parameters, decoded, in order of their keys. */
  readonly context: ReadonlyMap<string, string>;
}

const SCHEME = 'xdstp:';

export const isXdstp = (name: string): boolean => name.startsWith(SCHEME);

/** Returns what is wrong with a name that cannot be read. */
export function parseXdstp(name: string): XdstpName | string {
  const groups = /^xdstp:\/\/([^/?#]*)\/([^/?#]+)\/([^?#]+)(?:\?([^#]*))?(#.*)?$/s.exec(name);
  if (groups === null) return `"${name}" is not xdstp://AUTHORITY/TYPE/ID`;
  const [, authority = '', type = '', id = '', query = '', fragment] = groups;
  if (fragment !== undefined) return `"${name}": directives (#…) are not supported`;
  if (/(?:^|\/)\*$/.test(id)) return `"${name}": collections (/*) are not supported`;
  const path = canonicalPath(id, IN_PATH);
  const where = canonicalPath(authority, IN_AUTHORITY);
  const context = readContext(query);
  if (path === undefined || where === undefined || context === undefined) {
    return `"${name}": a % that is no percent-encoding`;
  }
  if (typeof context === 'string') return `"${name}": ${context}`;
  return { authority: where.toLowerCase(), type, id: path, context };
}

export function formatXdstp({ authority, type, id, context }: XdstpName): string {
  const pairs = [...context].map(([key, value]) => `${encodePart(key, IN_QUERY)}=${encodePart(value, IN_QUERY)}`);
  return `${SCHEME}//${authority}/${type}/${id}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`;
}

/** The one spelling by which a name is known; a name that cannot be read stays as it is. */
export function canonicalName(name: string): string {
  if (!isXdstp(name)) return name;
  const parsed = parseXdstp(name);
  return typeof parsed === 'string' ? name : formatXdstp(parsed);
}

/**
 * The name of a listener (gRFC A47: `client_default_listener_resource_name_template`): `%s` stands for the target, which
 * is percent-encoded in an xdstp name.
 */
export function nameFromTemplate(template: string, target: string): string {
  return template.replaceAll('%s', () => (isXdstp(template) ? encodePart(target, IN_PATH) : target));
}

/** Any text as the id of an xdstp name. */
export const encodeXdstpId = (text: string): string => encodePart(text, IN_PATH);

/** RFC 3986: unreserved, sub-delims, ":" and "@" of a path, "/" between segments. */
const IN_PATH = /[A-Za-z0-9\-._~!$&'()*+,;=:@/]/;
const IN_AUTHORITY = /[A-Za-z0-9\-._~!$&'()*+,;=:@[\]]/;
/** What divides key from value and pair from pair is encoded inside of them. */
const IN_QUERY = /[A-Za-z0-9\-._~!$'()*,;:@/?]/;
/** Encoded or not, these mean the same; the others mean something only as they stand (RFC 3986 §2.2, §6.2.2.2). */
const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const hex = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;

const encodePart = (text: string, allowed: RegExp): string =>
  [...text].map((one) => (allowed.test(one) ? one : [...encoder.encode(one)].map(hex).join(''))).join('');

/** Upper-case hexadecimal, nothing encoded that need not be, everything that must. undefined: a stray `%`. */
function canonicalPath(text: string, allowed: RegExp): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return text.replace(/%[0-9A-Fa-f]{2}|[^%]/gsu, (one) => {
    if (!one.startsWith('%') || one.length === 1) return encodePart(one, allowed);
    const plain = String.fromCharCode(Number.parseInt(one.slice(1), 16));
    return UNRESERVED.test(plain) ? plain : one.toUpperCase();
  });
}

function readContext(query: string): ReadonlyMap<string, string> | string | undefined {
  const pairs: [string, string][] = [];
  for (const part of query === '' ? [] : query.split('&')) {
    const at = part.indexOf('=');
    if (at < 1) return `the context parameter "${part}" is not key=value`;
    const key = decodePart(part.slice(0, at));
    const value = decodePart(part.slice(at + 1));
    if (key === undefined || value === undefined) return undefined;
    if (pairs.some(([known]) => known === key)) return `the context parameter "${key}" stands there twice`;
    pairs.push([key, value]);
  }
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function decodePart(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const bytes = text
    .split(/(%[0-9A-Fa-f]{2})/)
    .flatMap((one) => (one.startsWith('%') ? [Number.parseInt(one.slice(1), 16)] : [...encoder.encode(one)]));
  try {
    return decoder.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}
