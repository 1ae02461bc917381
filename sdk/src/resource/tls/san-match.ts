import { SubjectAltNameMatcher_SanType as San, type SubjectAltNameMatcher } from '../../../gen/tls.js';
import type { NameMatch } from '../../model/tls.ts';
import { decodeStringMatch } from '../route/string-match.ts';
import type { Scope } from '../scope.ts';

const TYPES: ReadonlyMap<San, NonNullable<NameMatch['type']>> = new Map([
  [San.EMAIL, 'email'],
  [San.DNS, 'dns'],
  [San.URI, 'uri'],
  [San.IP_ADDRESS, 'ip'],
]);

/** Envoy SubjectAltNameMatcher; undefined where it has none that can be told. */
export function decodeSanMatch({ sanType, matcher }: SubjectAltNameMatcher, at: Scope): NameMatch | undefined {
  const type = TYPES.get(sanType);
  if (type === undefined) at.at('san_type').error(`${San[sanType] ?? sanType}, EMAIL, DNS, URI or IP_ADDRESS allowed`);
  const name = decodeNameMatch(matcher, at.at('matcher'));
  return type && name && { type, ...name };
}

/** match_subject_alt_names, the older field: of any type. */
export function decodeNameMatch(matcher: SubjectAltNameMatcher['matcher'], at: Scope): NameMatch | undefined {
  if (matcher === undefined) {
    at.error('missing, a matcher is required');
    return undefined;
  }
  const match = decodeStringMatch(matcher, at);
  const { kind, value } = match;
  return match.kind !== 'regex' && match.ignoreCase ? { kind, value, ignoreCase: true } : { kind, value };
}
