/** RE2::GlobalReplace over any engine that finds matches. */

export interface Groups {
  readonly start: number;
  readonly end: number;
  /** The whole match, then each group; one that took no part is empty. */
  readonly texts: readonly string[];
}

export interface Search {
  /** Capturing groups of the pattern. */
  readonly groups: number;
  find(text: string, from: number): Groups | undefined;
}

type Part = string | number;

export function replaceMatches(text: string, substitution: string, search: Search): string {
  const parts = parseSubstitution(substitution);
  // RE2 refuses a substitution that names a group the pattern lacks: nothing is replaced.
  if (parts.some((part) => typeof part === 'number' && part > search.groups)) return text;
  let result = '';
  let at = 0;
  let lastEnd = -1;
  while (at <= text.length) {
    const match = search.find(text, at);
    if (match === undefined) break;
    result += text.slice(at, match.start);
    at = match.end;
    if (match.start !== match.end || match.end !== lastEnd) {
      result += parts.map((part) => (typeof part === 'number' ? (match.texts[part] ?? '') : part)).join('');
    }
    lastEnd = match.end;
    if (match.start === match.end) {
      // An empty match (or one just after the last, which RE2 skips) moves on by one character.
      result += text.slice(at, at + 1);
      at++;
    }
  }
  return result + text.slice(at);
}

/** `\0` to `\9` are groups, `\\` a backslash; RE2 stops at anything else that follows a backslash. */
export function parseSubstitution(substitution: string): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < substitution.length; at++) {
    const char = substitution[at] ?? '';
    if (char !== '\\') {
      parts.push(char);
      continue;
    }
    const next = substitution[++at] ?? '';
    if (next === '\\') parts.push('\\');
    else if (next >= '0' && next <= '9') parts.push(Number(next));
    else break;
  }
  return parts;
}
