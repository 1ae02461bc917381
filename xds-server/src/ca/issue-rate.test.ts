import { describe, expect, it } from 'vitest';
import { IssueRate } from './issue-rate.ts';

describe('how often one may ask', () => {
  it('is a burst, and then a steady pace', () => {
    const rate = new IssueRate({ perSecond: 2, burst: 3 });
    const admitted = (nowMs: number) => rate.admit('a', nowMs);
    expect([0, 0, 0, 0].map(admitted)).toEqual([true, true, true, false]);
    expect(admitted(499)).toBe(false);
    expect(admitted(500)).toBe(true);
    expect(admitted(501)).toBe(false);
    expect([60_000, 60_000, 60_000, 60_000].map(admitted)).toEqual([true, true, true, false]);
  });

  it('is counted for each alone, in bounded memory', () => {
    const rate = new IssueRate({ perSecond: 1, burst: 1 });
    expect(rate.admit('first', 0)).toBe(true);
    for (let index = 0; index < 20_000; index += 1) expect(rate.admit(String(index), 0)).toBe(true);
    expect(rate.admit('19999', 0)).toBe(false);
  });
});
