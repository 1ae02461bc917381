import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { parseRegex, type Regex } from './regex.ts';
import { utf8Bytes } from './utf8.ts';

function compiled(pattern: string): Regex {
  const regex = parseRegex(pattern);
  if (typeof regex === 'string') throw new Error(`${pattern}: ${regex}`);
  return regex;
}

describe('parseRegex', () => {
  it.each([
    ['jason', 'jason', ['jasons', 'x jason']],
    ['a|b', 'b', ['ab', '']],
    ['^/api$', '/api', ['/api/']],
    ['.*', 'anything', ['a\nb']],
    ['(?s).*', 'a\nb', []],
    ['.+', 'a', ['']],
    ['/api/.*', '/api/', ['/api', '/api/a\nb']],
    ['/api/.+', '/api/x', ['/api/']],
    ['.*\\.html', '/index.html', ['/indexxhtml', 'a\n.html']],
    ['.*foo.*', 'a foo b', ['fo', 'foo\n']],
    ['(jason)', 'jason', ['(jason)']],
    ['(?:^a$)', 'a', ['b']],
    ['', '', ['a']],
  ])('runs %s as a string test', (pattern, matching, others) => {
    const regex = compiled(pattern);
    expect(regex.engine).toBe('string');
    expect(regex.test(matching)).toBe(true);
    for (const other of others) expect(regex.test(other)).toBe(false);
  });

  it.each([
    ['/v[0-9]+/.*', '/v12/x', ['/v/x', '/v1']],
    ['(?i)jason', 'JaSon', ['jaso']],
    ['(?i)task', 'TAsK', ['tas', 'TA\u017f\u212a']],
    ['(?i)[a-c]+\\W', 'ABC!', ['ABCD']],
    ['[^/]+/x', 'ab/x', ['a/b/x']],
    ['\\s\\S', ' a', ['\va', 'a ']],
    ['[[:alpha:]]+[^[:alpha:]]', 'ab1', ['abc']],
    ['[]a]+', ']a', ['b']],
    ['[a-]', '-', ['b']],
    ['\\x41\\t+', 'A\t', ['A']],
    ['a{2,3}', 'aa', ['a', 'aaaa']],
    ['a{,2}b*', 'a{,2}bb', ['aab']],
    ['(?i)a(?-i)b', 'Ab', ['AB']],
    ['(?P<name>a|bc)d?', 'bcd', ['abcd']],
    ['\\bfoo\\b.?', 'foo!', ['foox']],
    ['a\\z|b', 'a', ['ab']],
    ['.', '\xff', ['\n', 'ab']],
    ['a\\Cb', 'a\nb', ['ab']],
    ['(/[a-z]+)*', '/a/bc', ['/a/']],
    ['\\Aa?b', 'ab', ['aab']],
  ])('runs %s as a RegExp with RE2 meaning', (pattern, matching, others) => {
    const regex = compiled(pattern);
    expect(regex.engine).toBe('regexp');
    expect(regex.test(matching)).toBe(true);
    for (const other of others) expect(regex.test(other)).toBe(false);
  });

  it.each([
    '(a+)+',
    '.*a.*b',
    '.*a[^/]*b',
    '(?m)^a$',
    '\\pL+',
    '(?U)a+',
    '\\Qa.b\\E',
    '\\012',
    '(?i)é',
    '(?i)[\\W]',
    '(a|ab){16}',
    '(?:a?){20}b',
    '(a*)*',
    '[[:^alpha:]]é\\p{Greek}',
    '^*a',
    '(a{2}){3}',
    '(?P<a>x)(?P<b>y<a>)',
  ])('leaves %s to re2js, linear by construction', (pattern) => {
    expect(compiled(pattern).engine).toBe('re2');
  });

  it.each([
    '(a',
    'a)',
    'a**',
    '*a',
    '[z-a]',
    '[a',
    'a{1001}',
    '(?=a)',
    '(a)\\1',
    '\\',
    '[\\',
    'a{2}{3}',
    '(?P<x>a)(?P<x>b)',
    '[[:nope:]]',
    '\\x4',
    '(?z)',
    'a{3,2}',
    '{2}',
  ])('says what is wrong with %s', (pattern) => {
    expect(typeof parseRegex(pattern)).toBe('string');
  });

  it('reads texts as bytes, and a pattern as the bytes of its UTF-8 (Envoy 1.40 runs RE2 in Latin-1 mode)', () => {
    const asBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    expect(compiled('é').test(asBytes('é'))).toBe(true);
    expect(compiled('é').test('\xe9')).toBe(false);
    expect(compiled('.').test('\xe9')).toBe(true);
    expect(compiled('.').test(asBytes('é'))).toBe(false);
    expect(compiled('..').test(asBytes('é'))).toBe(true);
    expect(compiled('[^,]+').test(asBytes('€'))).toBe(true);
    expect(compiled('\\pL').test('\xe9')).toBe(true);
    expect(compiled('\\W').test('\xff')).toBe(true);
  });
});

describe('replaceAll', () => {
  it.each([
    ['^/service/([^/]+)(/.*)$', '/service/foo/v1/api', '\\2/instance/\\1', '/v1/api/instance/foo'],
    ['one', '/xxx/one/yyy/one/zzz', 'two', '/xxx/two/yyy/two/zzz'],
    ['^(.*?)one(.*)$', '/xxx/one/yyy/one/zzz', '\\1two\\2', '/xxx/two/yyy/one/zzz'],
    ['(?i)/xxx/', '/aaa/XxX/bbb', '/yyy/', '/aaa/yyy/bbb'],
    ['b*', 'abc', '-', '-a-c-'],
    ['^a', 'aaa', 'x\\0', 'xaaa'],
    ['^b?', 'aaa', 'x', 'xaaa'],
    ['^/(a|b)+', '/ab', '\\1', 'b'],
    ['a', 'a', '\\\\', '\\'],
    ['^(a)?b', 'b', '[\\1]', '[]'],
    ['(x)?b', 'b', '[\\1]', '[]'],
    ['a', 'a\xe9', 'é', '\xc3\xa9\xe9'],
    ['z*', '\xe9', '-', '-\xe9-'],
  ])('replaces %s in %s by %s (RE2::GlobalReplace)', (pattern, text, substitution, expected) => {
    expect(compiled(pattern).replaceAll(text, substitution)).toBe(expected);
  });

  it('leaves the text where the substitution names a group the pattern lacks', () => {
    expect(compiled('^(a)').replaceAll('ab', '\\2')).toBe('ab');
    expect(compiled('(a)').replaceAll('ab', '\\2')).toBe('ab');
  });

  it('stops a substitution at an escape RE2 does not know', () => {
    expect(compiled('a').replaceAll('ab', 'x\\q')).toBe('xb');
  });
});

const alphabet = fc.constantFrom('a', 'b', 'K', 's', '/', '-', '1', '.', '\n', ' ', '_', 'é', '€');
const literal = alphabet.map((char) => (/[\w\u0080-\uffff]/.test(char) ? char : `\\${char === '\n' ? 'n' : char}`));
const escapes = fc.constantFrom(
  '.',
  '\\d',
  '\\D',
  '\\s',
  '\\S',
  '\\w',
  '\\W',
  '\\b',
  '\\B',
  '^',
  '$',
  '\\A',
  '\\z',
  '[[:alpha:]]',
);
const members = fc.array(fc.constantFrom('a', 'b-d', 'K', '0-9', '/', '\\w', '\\S', '\\-', '[:digit:]', '_', 'é'), {
  minLength: 1,
  maxLength: 3,
});
const classes = fc.tuple(fc.boolean(), members).map(([negated, list]) => `[${negated ? '^' : ''}${list.join('')}]`);
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    escapes,
    classes,
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '*?', '{0,2}', '{2}', '{1,}', '??'))
      .map(([body, count]) => `(?:${body})${count}`),
    fc.tuple(literal, fc.constantFrom('*', '+', '?', '+?', '{1,3}')).map(([body, count]) => `${body}${count}`),
    fc.tuple(classes, fc.constantFrom('*', '+', '?')).map(([body, count]) => `${body}${count}`),
    tie('pattern').map((body) => `(${body})`),
    tie('pattern').map((body) => `(?i:${body})`),
    tie('pattern').map((body) => `(?s:${body})`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
  ),
  pattern: fc.array(tie('piece'), { maxLength: 4 }).map((parts) => parts.join('')),
}));
const subject = fc
  .array(fc.oneof(alphabet, fc.constantFrom('k', 'S', '\xff', '\xe3', 'c', '\v')), { maxLength: 8 })
  .map((chars) => utf8Bytes(chars.join('')));

/** What re2js makes of it, when it takes the pattern. */
function oracle(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(utf8Bytes(source));
  } catch {
    return undefined;
  }
}

describe('agreement with re2js', () => {
  it('accepts the same patterns and matches the same texts, whichever engine runs them', () => {
    fc.assert(
      fc.property(pattern, fc.array(subject, { minLength: 5, maxLength: 10 }), (source, texts) => {
        const regex = parseRegex(source);
        const expected = oracle(source);
        expect(typeof regex === 'string').toBe(expected === undefined);
        if (typeof regex === 'string' || expected === undefined) return;
        for (const text of texts) {
          expect([source, text, regex.test(text)]).toEqual([source, text, expected.testExact(text)]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('replaces the same where the pattern is anchored and RegExp may search', () => {
    fc.assert(
      fc.property(pattern, fc.array(subject, { minLength: 3, maxLength: 5 }), (body, texts) => {
        const source = `^${body}`;
        const regex = parseRegex(source);
        const expected = oracle(source);
        if (typeof regex === 'string' || expected === undefined) return;
        for (const text of texts) {
          const matcher = expected.matcher(text);
          const groups = Array.from({ length: Math.min(expected.groupCount(), 9) + 1 }, (_, i) => i);
          const wanted = matcher.find()
            ? `${groups.map((i) => `<${matcher.group(i) ?? ''}>`).join('')}${text.slice(matcher.end())}`
            : text;
          expect([source, text, regex.replaceAll(text, groups.map((i) => `<\\${i}>`).join(''))]).toEqual([
            source,
            text,
            wanted,
          ]);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
