import type { DoubleMatcher, MetadataMatcher, ValueMatcher } from '../../../gen/core.js';
import type { MetadataMatch, ValueMatch } from '../../model/match.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';
import { decodeStringMatch } from './string-match.ts';

const NOTHING: ValueMatch = { kind: 'present', present: false };

/** Envoy type.matcher.v3.MetadataMatcher. */
export function decodeMetadataMatch({ filter, path, value, invert }: MetadataMatcher, at: Scope): MetadataMatch {
  if (path.length === 0) at.at('path').error('empty, at least one segment is required');
  return {
    namespace: required(filter, at.at('filter')),
    path: path.map(({ segment }, index) => required(segment.value ?? '', at.at('path').at(index).at('key'))),
    value: decodeValue(value, at.at('value')),
    invert,
  };
}

function decodeValue(message: ValueMatcher | undefined, at: Scope): ValueMatch {
  const pattern = message?.matchPattern;
  switch (pattern?.case) {
    case 'nullMatch':
      return { kind: 'null' };
    case 'doubleMatch':
      return decodeDouble(pattern.value, at.at('double_match'));
    case 'stringMatch':
      return { kind: 'string', match: decodeStringMatch(pattern.value, at.at('string_match')) };
    case 'boolMatch':
      return { kind: 'boolean', value: pattern.value };
    case 'presentMatch':
      return { kind: 'present', present: pattern.value };
    case 'listMatch': {
      const list = at.at('list_match');
      const { matchPattern } = pattern.value;
      if (matchPattern.case === 'oneOf')
        return { kind: 'one-of', element: decodeValue(matchPattern.value, list.at('one_of')) };
      list.error('no pattern, one_of is required');
      return NOTHING;
    }
    case 'orMatch': {
      const matchers = at.at('or_match').at('value_matchers');
      if (pattern.value.valueMatchers.length < 2) matchers.error('at least 2 are required');
      return {
        kind: 'or',
        options: pattern.value.valueMatchers.map((option, index) => decodeValue(option, matchers.at(index))),
      };
    }
    default:
      at.error('no value to match, one is required');
      return NOTHING;
  }
}

function decodeDouble({ matchPattern }: DoubleMatcher, at: Scope): ValueMatch {
  if (matchPattern.case === 'exact') return { kind: 'number', exact: matchPattern.value };
  if (matchPattern.case === 'range')
    return { kind: 'range', start: matchPattern.value.start, end: matchPattern.value.end };
  at.error('no number to match, exact or range is required');
  return NOTHING;
}
