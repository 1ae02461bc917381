import { parseRegex } from '../match/regex.ts';
import { utf8Bytes } from '../match/utf8.ts';
import type { NameMatch } from '../model/tls.ts';
import type { SubjectName } from './certificate.ts';
import { parseSpiffeId } from './spiffe-id.ts';

/** Whether one of a certificate's names is one of those that are accepted (Envoy match_typed_subject_alt_names). */
export const acceptsAny = (accepted: readonly NameMatch[], names: readonly SubjectName[]): boolean =>
  accepted.some((match) => names.some((name) => accepts(match, name)));

function accepts(match: NameMatch, { type, value }: SubjectName): boolean {
  if (match.type !== undefined && match.type !== type) return false;
  if (match.kind === 'exact' && type === 'uri' && isSameSpiffeId(match.value, value)) return true;
  // Envoy: a wildcard in the certificate stands for one label of an exact name.
  if (match.kind === 'exact' && type === 'dns' && coversName(value, match.value)) return true;
  // Names of hosts and mail domains are caseless (RFC 5280 §7.2); Envoy compares them in lower case too.
  const fold = match.ignoreCase === true || type === 'dns';
  return fold && match.kind !== 'regex'
    ? holds(match.kind, value.toLowerCase(), match.value.toLowerCase())
    : holds(match.kind, value, match.value);
}

function holds(kind: NameMatch['kind'], value: string, wanted: string): boolean {
  if (kind === 'exact') return value === wanted;
  if (kind === 'prefix') return value.startsWith(wanted);
  if (kind === 'suffix') return value.endsWith(wanted);
  if (kind === 'contains') return value.includes(wanted);
  return regexOf(wanted)(utf8Bytes(value));
}

/** Trust domains are compared in lower case, paths exactly (SPIFFE-ID §2). */
function isSameSpiffeId(wanted: string, value: string): boolean {
  const one = parseSpiffeId(wanted);
  const other = parseSpiffeId(value);
  return typeof one !== 'string' && typeof other !== 'string' && one.uri === other.uri;
}

function coversName(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return false;
  const dot = name.indexOf('.');
  // Not `*.com`: a wildcard under a top-level domain covers nobody.
  const parent = pattern.slice(2).toLowerCase();
  return dot > 0 && parent.includes('.') && name.slice(dot + 1).toLowerCase() === parent;
}

const compiled = new Map<string, (text: string) => boolean>();
const MOST_COMPILED = 256;

function regexOf(pattern: string): (text: string) => boolean {
  let test = compiled.get(pattern);
  if (test === undefined) {
    const regex = parseRegex(pattern);
    // What cannot be compiled was refused with its resource; here it accepts nobody.
    test = typeof regex === 'string' ? () => false : (value) => regex.test(value);
    if (compiled.size >= MOST_COMPILED) compiled.clear();
    compiled.set(pattern, test);
  }
  return test;
}

/** For messages. */
export function describeMatches(accepted: readonly NameMatch[]): string {
  const shown = accepted.slice(0, 8).map(({ type, kind, value }) => {
    const how = kind === 'exact' ? '' : `${kind} `;
    return `${type === undefined || type === 'uri' ? '' : `${type} `}${how}${JSON.stringify(value)}`;
  });
  const more = accepted.length - shown.length;
  return `${shown.join(' or ')}${more > 0 ? ` or ${more} more` : ''}`;
}
