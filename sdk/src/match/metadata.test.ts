import { describe, expect, it } from 'vitest';
import type { ValueMatch } from '../model/match.ts';
import { compileMetadata, describeMetadata, metadataValue } from './metadata.ts';
import { cachedRegexes } from './string.ts';

const matcher = (value: ValueMatch, invert = false) =>
  compileMetadata({ namespace: 'ns', path: ['k'], value, invert }, cachedRegexes());
const exact = (value: string): ValueMatch => ({ kind: 'string', match: { kind: 'exact', value, ignoreCase: false } });

/** The values of `ns.k` that fit, out of one of every kind. */
const LIST = ['a', 1];
const VALUES = [null, 1, 2.5, '1', 'a', true, false, LIST, { a: 1 }];
const fitting = (value: ValueMatch, invert = false): unknown[] =>
  VALUES.filter((k) => matcher(value, invert)(new Map([['ns', { k }]])));

describe('compileMetadata (Envoy MetadataMatcher, ValueMatcher)', () => {
  it.each<[ValueMatch, unknown[]]>([
    [{ kind: 'null' }, [null]],
    [{ kind: 'number', exact: 1 }, [1]],
    [{ kind: 'range', start: 1, end: 2.5 }, [1]],
    [exact('1'), ['1']],
    [{ kind: 'boolean', value: false }, [false]],
    [{ kind: 'present', present: true }, VALUES],
    [{ kind: 'present', present: false }, []],
    [{ kind: 'one-of', element: exact('a') }, [LIST]],
    [{ kind: 'one-of', element: { kind: 'number', exact: 1 } }, [LIST]],
    [{ kind: 'or', options: [exact('a'), { kind: 'number', exact: 2.5 }] }, [2.5, 'a']],
  ])('%j', (value, expected) => {
    expect(fitting(value)).toEqual(expected);
    expect(fitting(value, true)).toEqual(VALUES.filter((one) => !expected.includes(one)));
  });

  it('takes a value that is not there for one that fits nothing', () => {
    for (const value of [exact('a'), { kind: 'present', present: true }, { kind: 'null' }] as const) {
      expect(matcher(value)(undefined)).toBe(false);
      expect(matcher(value, true)(new Map([['ns', {}]]))).toBe(true);
    }
  });

  it('walks its path through objects only, and never into a prototype', () => {
    const metadata = new Map<string, unknown>([['ns', { a: { b: 1 }, list: [1] }]]);
    expect(metadataValue(metadata, 'ns', ['a', 'b'])).toBe(1);
    expect(metadataValue(metadata, 'ns', ['list', '0'])).toBeUndefined();
    expect(metadataValue(metadata, 'ns', ['toString'])).toBeUndefined();
    expect(metadataValue(metadata, 'other', [])).toBeUndefined();
  });

  it('tells what it wants', () => {
    const value: ValueMatch = { kind: 'or', options: [{ kind: 'one-of', element: exact('a') }, { kind: 'null' }] };
    const told = describeMetadata({ namespace: 'ns', path: ['k'], value, invert: true });
    expect(told).toBe('metadata ns.k anything but a list with exact "a" or null');
  });
});
