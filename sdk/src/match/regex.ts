/**
 * Regular expressions of the configuration: RE2's syntax and meaning, matched against the whole string (Envoy
 * RegexMatcher), in time linear in the input. Common shapes become string tests; a pattern that a backtracking engine
 * provably runs in linear time runs as RegExp, with RE2's meaning of `.`, `\s`, `$` and `(?i)` written out; the rest on
 * re2js. This is the only file that may build a RegExp from text.
 */
import { RE2JS } from 're2js';
import { isLinear } from './regex/linear.ts';
import { type Groups, replaceMatches, type Search } from './regex/replace.ts';
import { shapeTest } from './regex/shape.ts';
import { sourceOf } from './regex/source.ts';
import { parseRegexSyntax, type RegexNode } from './regex/syntax.ts';
import { utf8Bytes } from './utf8.ts';

export interface Regex {
  /** What runs it: a string test, the platform's RegExp, or re2js. */
  readonly engine: 'string' | 'regexp' | 're2';
  /** Whether the whole text matches. */
  test(text: string): boolean;
  /** RE2::GlobalReplace: every match, leftmost first; `\1` in the substitution is the first group, `\0` the match. */
  replaceAll(text: string, substitution: string): string;
}

/**
 * The compiled pattern, or what is wrong with it. Texts are bytes, one character each, as header values are; so is the
 * pattern, after its UTF-8: Envoy runs RE2 in Latin-1 mode, where `.` is a byte and `é` is two.
 */
export function parseRegex(text: string): Regex | string {
  const pattern = utf8Bytes(text);
  const root = parseRegexSyntax(pattern);
  if (root === undefined) return onRe2(pattern);
  const shape = shapeTest(root);
  if (shape === undefined && !isLinear(root)) return onRe2(pattern);
  return {
    engine: shape === undefined ? 'regexp' : 'string',
    test: shape ?? regExpTest(root),
    replaceAll: lazyReplace(() => searchOf(root) ?? re2Search(RE2JS.compile(pattern))),
  };
}

function regExpTest(root: RegexNode): (text: string) => boolean {
  const whole = new RegExp(`^(?:${sourceOf(root, false)})$`);
  return (text) => whole.test(text);
}

function onRe2(pattern: string): Regex | string {
  try {
    const compiled = RE2JS.compile(pattern);
    return {
      engine: 're2',
      test: (text) => compiled.testExact(text),
      replaceAll: lazyReplace(() => re2Search(compiled)),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A rewrite is rare beside a test: its engine is built on first use. */
function lazyReplace(build: () => Search): Regex['replaceAll'] {
  let search: Search | undefined;
  return (text, substitution) => {
    search ??= build();
    return replaceMatches(text, utf8Bytes(substitution), search);
  };
}

/**
 * RegExp may search only where it is linear (one place to start) and where its groups are RE2's: a group inside a repeat
 * is reset by JavaScript on every turn, and kept by RE2.
 */
function searchOf(root: RegexNode): Search | undefined {
  const first = root.kind === 'sequence' ? root.parts[0] : root;
  if (first?.kind !== 'assert' || first.what !== 'begin' || !isLinear(root) || hasRepeatedGroup(root, false))
    return undefined;
  const pattern = new RegExp(sourceOf(root, true));
  return {
    groups: countGroups(root),
    find: (text, from): Groups | undefined => {
      const match = from === 0 ? pattern.exec(text) : null;
      return match === null
        ? undefined
        : { start: match.index, end: match.index + match[0].length, texts: match.map((group) => group ?? '') };
    },
  };
}

function re2Search(compiled: RE2JS): Search {
  return {
    groups: compiled.groupCount(),
    find: (text, from): Groups | undefined => {
      const matcher = compiled.matcher(text);
      if (!matcher.find(from)) return undefined;
      const texts = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
      return { start: matcher.start(), end: matcher.end(), texts };
    },
  };
}

function hasRepeatedGroup(node: RegexNode, repeated: boolean): boolean {
  switch (node.kind) {
    case 'group':
      return (repeated && node.index > 0) || hasRepeatedGroup(node.body, repeated);
    case 'repeat':
      return hasRepeatedGroup(node.body, repeated || node.max > 1);
    case 'sequence':
      return node.parts.some((part) => hasRepeatedGroup(part, repeated));
    case 'choice':
      return node.options.some((option) => hasRepeatedGroup(option, repeated));
    default:
      return false;
  }
}

function countGroups(node: RegexNode): number {
  switch (node.kind) {
    case 'group':
      return (node.index > 0 ? 1 : 0) + countGroups(node.body);
    case 'repeat':
      return countGroups(node.body);
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + countGroups(part), 0);
    case 'choice':
      return node.options.reduce((sum, option) => sum + countGroups(option), 0);
    default:
      return 0;
  }
}
