import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST, type RankEffect, type RankEvent, type Ranks, stepRanks } from './ranks.ts';

const wanting = { count: 3, isWanting: true };
const content = { count: 3, isWanting: false };
const at = (active: number, ...missed: number[]): Ranks => ({ active, missed: new Set(missed) });
const listen = (rank: number): RankEffect => ({ kind: 'listen', rank });
const open = (rank: number): RankEffect => ({ kind: 'open', rank });
const close = (rank: number): RankEffect => ({ kind: 'close', rank });

describe('which server is listened to (gRFC A71)', () => {
  it.each<[string, Ranks, RankEvent, typeof wanting, Ranks, RankEffect[]]>([
    [
      'the next one is tried when one cannot be reached and something is wanted',
      FIRST,
      { kind: 'missed', rank: 0 },
      wanting,
      at(1, 0),
      [listen(1), open(1)],
    ],
    ['not while everything wanted is held', FIRST, { kind: 'missed', rank: 0 }, content, at(0, 0), []],
    ['but as soon as something new is wanted', at(0, 0), { kind: 'wanted' }, wanting, at(1, 0), [listen(1), open(1)]],
    ['a wish alone is no reason', FIRST, { kind: 'wanted' }, wanting, FIRST, []],
    [
      'the one after the next, when that is missed too',
      at(1, 0),
      { kind: 'missed', rank: 1 },
      wanting,
      at(2, 0, 1),
      [listen(2), open(2)],
    ],
    [
      'after the last one nobody is left',
      at(2, 0, 1),
      { kind: 'missed', rank: 2 },
      wanting,
      at(2, 0, 1, 2),
      [{ kind: 'away' }],
    ],
    ['a better one that is missed again changes nothing', at(1, 0), { kind: 'missed', rank: 0 }, wanting, at(1, 0), []],
    ['a better one that can be reached has not answered yet', at(1, 0), { kind: 'up', rank: 0 }, wanting, at(1), []],
    [
      'a better one that answers takes its place, the others go',
      at(2, 1),
      { kind: 'answered', rank: 0 },
      wanting,
      at(0),
      [listen(0), close(1), close(2)],
    ],
    [
      'one in the middle takes its place from those below alone',
      at(2, 0),
      { kind: 'answered', rank: 1 },
      wanting,
      at(1, 0),
      [listen(1), close(2)],
    ],
    ['the one listened to answers', at(1, 0), { kind: 'answered', rank: 1 }, wanting, at(1, 0), []],
    ['who was let go is not heard', at(0), { kind: 'answered', rank: 2 }, wanting, at(0), []],
    ['nor missed', at(0), { kind: 'missed', rank: 2 }, wanting, at(0), []],
  ])('%s', (_rule, state, event, rules, next, effects) => {
    expect(stepRanks(state, event, rules)).toEqual([next, effects]);
  });

  it('has exactly the servers 0…active open, and always one to listen to, in any order of events', () => {
    const rank = fc.nat(3);
    const event: fc.Arbitrary<[RankEvent, boolean]> = fc.tuple(
      fc.oneof(
        fc.constant<RankEvent>({ kind: 'wanted' }),
        rank.map((one): RankEvent => ({ kind: 'missed', rank: one })),
        rank.map((one): RankEvent => ({ kind: 'up', rank: one })),
        rank.map((one): RankEvent => ({ kind: 'answered', rank: one })),
      ),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (events, count) => {
        let state = FIRST;
        const opened = new Set([0]);
        for (const [one, isWanting] of events) {
          const before = state;
          // Nothing is heard of a server that is not open.
          if ('rank' in one && !opened.has(one.rank)) continue;
          const [next, effects] = stepRanks(state, one, { count, isWanting });
          for (const effect of effects) {
            if (effect.kind === 'open') {
              expect(opened.has(effect.rank)).toBe(false);
              opened.add(effect.rank);
            }
            if (effect.kind === 'close') expect(opened.delete(effect.rank)).toBe(true);
            if (effect.kind === 'away') expect(next.missed.has(count - 1)).toBe(true);
          }
          if (next.active > before.active)
            expect([isWanting, before.missed.has(before.active) || one.kind === 'missed']).toEqual([true, true]);
          expect([...opened].sort()).toEqual(Array.from({ length: next.active + 1 }, (_, index) => index));
          for (const missed of next.missed) expect(missed).toBeLessThanOrEqual(next.active);
          state = next;
        }
      }),
    );
  });
});
