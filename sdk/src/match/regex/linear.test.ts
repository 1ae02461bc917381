import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CharSet } from './char-set.ts';
import { isLinear } from './linear.ts';
import { parseRegexSyntax, type RegexNode } from './syntax.ts';

type Instruction =
  | { readonly op: 'set'; readonly set: CharSet }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'begin' | 'end' | 'done' };

/** The pattern as a program for a backtracking machine, which takes the steps a RegExp without memory would take. */
function program(root: RegexNode): Instruction[] {
  const code: Instruction[] = [];
  const emit = (node: RegexNode): void => {
    switch (node.kind) {
      case 'empty':
        return;
      case 'set':
        code.push({ op: 'set', set: node.set });
        return;
      case 'assert':
        // Word boundaries only cut ways off; leaving them out makes no run shorter.
        if (node.what === 'begin' || node.what === 'end') code.push({ op: node.what });
        return;
      case 'group':
        emit(node.body);
        return;
      case 'sequence':
        node.parts.forEach(emit);
        return;
      case 'choice':
        emitChoice(node.options);
        return;
      case 'repeat':
        emitRepeat(node);
    }
  };
  const emitChoice = (options: readonly RegexNode[]): void => {
    const [first, ...others] = options;
    if (first === undefined) return;
    if (others.length === 0) {
      emit(first);
      return;
    }
    const split = { op: 'split' as const, first: code.length + 1, second: 0 };
    code.push(split);
    emit(first);
    const jump = { op: 'jump' as const, to: 0 };
    code.push(jump);
    split.second = code.length;
    emitChoice(others);
    jump.to = code.length;
  };
  const emitSplit = (greedy: boolean, body: () => void): void => {
    const split = { op: 'split' as const, first: 0, second: 0 };
    code.push(split);
    const inside = code.length;
    body();
    const after = code.length;
    split.first = greedy ? inside : after;
    split.second = greedy ? after : inside;
  };
  const emitRepeat = ({ body, min, max, greedy }: RegexNode & { kind: 'repeat' }): void => {
    for (let i = 0; i < min; i++) emit(body);
    if (max === Number.POSITIVE_INFINITY) {
      const start = code.length;
      emitSplit(greedy, () => {
        emit(body);
        code.push({ op: 'jump', to: start });
      });
      return;
    }
    const emitOptional = (left: number): void => {
      if (left === 0) return;
      emitSplit(greedy, () => {
        emit(body);
        emitOptional(left - 1);
      });
    };
    emitOptional(max - min);
  };
  emit(root);
  code.push({ op: 'end' }, { op: 'done' });
  return code;
}

const has = (set: CharSet, code: number): boolean => set.some(({ low, high }) => code >= low && code <= high);

/** Steps until the whole text matched or every way was tried; gives up at `most`. */
function steps(code: readonly Instruction[], text: string, most: number): number {
  const waiting: [pc: number, at: number][] = [[0, 0]];
  let count = 0;
  for (let thread = waiting.pop(); thread !== undefined; thread = waiting.pop()) {
    let [pc, at] = thread;
    for (let alive = true; alive; ) {
      if (++count >= most) return count;
      const instruction = code[pc++];
      switch (instruction?.op) {
        case 'set':
          alive = at < text.length && has(instruction.set, text.charCodeAt(at++));
          break;
        case 'split':
          waiting.push([instruction.second, at]);
          pc = instruction.first;
          break;
        case 'jump':
          pc = instruction.to;
          break;
        case 'begin':
          alive = at === 0;
          break;
        case 'end':
          alive = at === text.length;
          break;
        default:
          return count;
      }
    }
  }
  return count;
}

/** Texts that make backtracking hurt: long runs of what the patterns like, spoilt at the end. */
const hostile = (size: number): readonly string[] =>
  ['a', 'ab', '/', '/a', 'a/', 'aab', 'a-', 'ba'].flatMap((unit) =>
    ['', '!', 'b', '/', '\n'].map((end) => unit.repeat(size / unit.length) + end),
  );

const LARGE = hostile(100_000);
const SMALL = hostile(4_000);

function expectLinear(pattern: string, texts: readonly string[]): void {
  const root = parseRegexSyntax(pattern);
  if (root === undefined || !isLinear(root)) return;
  const code = program(root);
  for (const text of texts) {
    const most = 64 * (code.length + 1) * text.length;
    expect([pattern, text.slice(0, 3), steps(code, text, most) < most]).toEqual([pattern, text.slice(0, 3), true]);
  }
}

describe('isLinear', () => {
  it.each([
    '/v[0-9]+/.*',
    '[^/]+/x',
    '/(\\w+)/(\\d+)(/.*)?',
    '(/[a-z]+)*',
    '([^/]+/){1,3}x',
    'a*b*c*',
    '(a|b|/c)+-',
    '.*/x',
    'a{20}',
    'a{0,40}',
    '(foo|bar)/[^/]*',
    '((a-)*b)*c',
  ])('accepts %s and bounds the steps on 100 kB of hostile input', (pattern) => {
    const root = parseRegexSyntax(pattern);
    expect(root !== undefined && isLinear(root)).toBe(true);
    expectLinear(pattern, LARGE);
  });

  it.each([
    '.*.*',
    '.*a.*a.*a.*b',
    'a*a*a*b',
    '(a+)+',
    '(a|a)*',
    '(a?)*',
    '.*a[^/]*b',
    '(.*/)*x',
    '(a|ab){16}',
    '([a-z]*x)*',
    '(a*b?)+',
    '(/[a-z]+)*/x',
    'a{0,40}a{0,40}',
    '(a|b|ab){10}',
  ])('refuses %s', (pattern) => {
    const root = parseRegexSyntax(pattern);
    expect(root === undefined || isLinear(root)).toBe(false);
  });

  const piece = fc.oneof(
    fc.constantFrom('a', 'b', '/', '-', '.', '[^/]', '[ab]', '[a-]', '\\w', '$'),
    fc
      .tuple(
        fc.constantFrom('a', 'b', '/', '.', '[^/]', '[ab]', '(a|b)', '(ab)', '(/a)', '(a?b)', '([^/]+/)'),
        fc.constantFrom('*', '+', '?', '{2,4}', '*?'),
      )
      .map(([body, count]) => body + count),
    fc.constantFrom('(a|ab)', '(a*b|/)', '(/.*)?', '(a+-)*'),
  );

  it('never accepts a pattern whose steps outgrow the input (counted)', () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 5 }), (parts) => expectLinear(parts.join(''), SMALL)),
      { numRuns: 300 },
    );
  });
});
