/** A parsed pattern written as the source of a RegExp without flags: one code unit a byte. */
import { type CharRange, type CharSet, singleCode } from './char-set.ts';
import type { Assertion, RegexNode } from './syntax.ts';

const ASSERTIONS: Readonly<Record<Assertion, string>> = {
  begin: '^',
  end: '$',
  'word-boundary': '\\b',
  'no-word-boundary': '\\B',
};

export function sourceOf(node: RegexNode, withGroups: boolean): string {
  switch (node.kind) {
    case 'empty':
      return '';
    case 'set':
      return setSource(node.set);
    case 'assert':
      return ASSERTIONS[node.what];
    case 'sequence':
      return node.parts
        .map((part) => (part.kind === 'choice' ? `(?:${sourceOf(part, withGroups)})` : sourceOf(part, withGroups)))
        .join('');
    case 'choice':
      return node.options.map((option) => sourceOf(option, withGroups)).join('|');
    case 'group':
      return `${withGroups && node.index > 0 ? '(' : '(?:'}${sourceOf(node.body, withGroups)})`;
    case 'repeat':
      return `${sourceOf(node.body, withGroups)}${countSource(node.min, node.max)}${node.greedy ? '' : '?'}`;
  }
}

function countSource(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  if (min === 0 && max === 1) return '?';
  return min === max ? `{${min}}` : `{${min},${max}}`;
}

function setSource(set: CharSet): string {
  const single = singleCode(set);
  if (single !== undefined) return codeSource(single);
  // The empty class `[]` matches nothing, as an RE2 class without members.
  return `[${set.map(rangeSource).join('')}]`;
}

const rangeSource = ({ low, high }: CharRange): string =>
  low === high ? codeSource(low) : `${codeSource(low)}-${codeSource(high)}`;

function codeSource(code: number): string {
  const char = String.fromCharCode(code);
  return /[0-9A-Za-z_]/.test(char) ? char : `\\x${code.toString(16).padStart(2, '0')}`;
}
