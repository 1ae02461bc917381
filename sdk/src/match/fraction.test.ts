import { describe, expect, it } from 'vitest';
import type { Fraction } from '../model/match.ts';
import { drawModulo, fractionMatches } from './fraction.ts';

const fraction = (numerator: number, denominator: Fraction['denominator'] = 100): Fraction => ({
  numerator,
  denominator,
  runtimeKey: 'key',
});
const set = (value: boolean | number) => new Map([['key', value]]);

describe('fractionMatches (Envoy FractionalPercent, SnapshotImpl::featureEnabled)', () => {
  it.each([
    [0, 100, 0, false],
    [100, 100, 99, true],
    [5, 100, 104, true],
    [5, 100, 105, false],
    [1, 10_000, 20_000, true],
    [250_000, 1_000_000, 1_249_999, true],
    [250_000, 1_000_000, 1_250_000, false],
  ] as const)('%i of %i with a draw of %i: %s', (numerator, denominator, draw, expected) => {
    expect(fractionMatches(fraction(numerator, denominator), draw)).toBe(expected);
    expect(fractionMatches(fraction(numerator, denominator), draw, new Map())).toBe(expected);
  });

  it('asks a key that is set: a percentage whatever the denominator, above 100 always, cut off behind the point', () => {
    const never = fraction(0, 1_000_000);
    expect([49, 50].map((draw) => fractionMatches(never, draw, set(50)))).toEqual([true, false]);
    expect(fractionMatches(never, 99, set(101))).toBe(true);
    expect(fractionMatches(fraction(100), 0, set(0.9))).toBe(false);
    expect([0, 1].map((draw) => fractionMatches(never, draw, set(1.9)))).toEqual([true, false]);
    expect(fractionMatches(fraction(100), 0, set(-1))).toBe(true);
  });

  it('takes true for all and false for nothing', () => {
    expect(fractionMatches(fraction(0), 99, set(true))).toBe(true);
    expect(fractionMatches(fraction(100), 0, set(false))).toBe(false);
  });

  it('asks no key where it has none', () => {
    expect(fractionMatches({ numerator: 100, denominator: 100 }, 0, set(0))).toBe(true);
  });
});

it('takes the rest of draws of 32 bits and of longer ones', () => {
  expect(drawModulo(0xffff_ffff, 1_000)).toBe(295);
  expect(drawModulo(Number.MAX_SAFE_INTEGER, 1_000)).toBe(991);
});
