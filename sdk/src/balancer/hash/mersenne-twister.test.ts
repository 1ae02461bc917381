import { describe, expect, it } from 'vitest';
import { mersenneTwister } from './mersenne-twister.ts';

describe('mersenneTwister', () => {
  it('the 10,000th number from the seed 5489 is 4123659995 (C++ standard, [rand.predef])', () => {
    const random = mersenneTwister(5_489);
    for (let count = 1; count < 10_000; count++) random();
    expect(random()).toBe(4_123_659_995);
  });

  it('begins as the published one does', () => {
    const random = mersenneTwister(5_489);
    expect([random(), random(), random()]).toEqual([3_499_211_612, 581_869_302, 3_890_346_734]);
  });
});
