import { describe, expect, it } from 'vitest';
import { compareLocalities, effectiveLocalityWeight } from './locality.ts';

describe('effectiveLocalityWeight', () => {
  it.each([
    { usable: 100, share: 33 },
    { usable: 70, share: 33 },
    { usable: 69, share: 33 },
    { usable: 50, share: 26 },
    { usable: 25, share: 15 },
    { usable: 0, share: 0 },
  ])(
    'X of weight 1 with $usable % usable beside Y of weight 2 gets $share % (Envoy docs, locality weights)',
    ({ usable, share }) => {
      const x = effectiveLocalityWeight({ weight: 1, total: 100, usable }, 140);
      const y = effectiveLocalityWeight({ weight: 2, total: 100, usable: 100 }, 140);
      expect(Math.round((100 * x) / (x + y))).toBe(share);
    },
  );

  it('a locality without endpoints has no weight', () => {
    expect(effectiveLocalityWeight({ weight: 7, total: 0, usable: 0 }, 140)).toBe(0);
  });
});

describe('compareLocalities', () => {
  it('orders by region, then zone, then sub-zone (Envoy LocalityLess)', () => {
    const [a, b, c, d] = [
      { region: 'a', zone: 'z', subZone: 'z' },
      { region: 'b', zone: 'a', subZone: 'b' },
      { region: 'b', zone: 'b', subZone: 'a' },
      { region: 'b', zone: 'b', subZone: 'b' },
    ] as const;
    expect([d, c, b, a].sort(compareLocalities)).toEqual([a, b, c, d]);
    expect(compareLocalities(a, a)).toBe(0);
  });
});
