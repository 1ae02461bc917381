import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultOf } from '../defaults.ts';
import { type Rotation, type RotationEvent, renewalMs, retryMs, stepRotation } from './rotation.ts';

const HOUR_MS = 3_600_000;
const middle = (): number => 2 ** 31;
const chance = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const run = (events: readonly RotationEvent[], from: Rotation = { kind: 'idle' }): Rotation =>
  events.reduce((state, event) => stepRotation(state, event, middle)[0], from);

describe('rotation', () => {
  it('asks once when it begins, and again at half of the life that is left', () => {
    const [asking, effects] = stepRotation({ kind: 'idle' }, { kind: 'start' }, middle);
    expect(effects).toEqual([{ kind: 'ask' }]);
    const [holding, then] = stepRotation(asking, { kind: 'issued', nowMs: 1_000, leftMs: 24 * HOUR_MS }, middle);
    expect(then).toEqual([{ kind: 'wait', ms: 12 * HOUR_MS }]);
    expect(holding).toEqual({ kind: 'holding', dueMs: 1_000 + 12 * HOUR_MS, untilMs: 1_000 + 24 * HOUR_MS });
    expect(stepRotation(holding, { kind: 'due' }, middle)[1]).toEqual([{ kind: 'ask' }]);
  });

  it('waits 0.5 s after the first failure, twice as long after each further one, 150 s at most (ztunnel)', () => {
    const waits: number[] = [];
    let state = run([{ kind: 'start' }]);
    for (let failure = 0; failure < 12; failure++) {
      const [waiting, effects] = stepRotation(state, { kind: 'failed', nowMs: 0 }, middle);
      for (const effect of effects) if (effect.kind === 'wait') waits.push(effect.ms);
      state = stepRotation(waiting, { kind: 'due' }, middle)[0];
    }
    expect(waits).toEqual([500, 1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 128e3, 150e3, 150e3, 150e3]);
  });

  it('asks at once when the issuer may be back, and only while it waits for that', () => {
    const waiting = run([{ kind: 'start' }, { kind: 'failed', nowMs: 0 }]);
    expect(stepRotation(waiting, { kind: 'nudge' }, middle)[1]).toEqual([{ kind: 'stop' }, { kind: 'ask' }]);
    for (const state of [run([]), run([{ kind: 'start' }]), run([{ kind: 'start' }, issued(HOUR_MS)])]) {
      expect(stepRotation(state, { kind: 'nudge' }, middle)).toEqual([state, []]);
    }
  });

  it('a success forgets the failures before it', () => {
    const again = run([
      { kind: 'start' },
      failed,
      { kind: 'due' },
      failed,
      { kind: 'due' },
      issued(HOUR_MS),
      { kind: 'due' },
    ]);
    expect(stepRotation(again, failed, middle)[1]).toEqual([{ kind: 'wait', ms: 500 }]);
  });

  it('renews between 45 and 55 % of the life that is left, whatever chance says, and never in a hot loop', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 * 24 * HOUR_MS }), chance, (leftMs, random) => {
        const ms = renewalMs(leftMs, () => random);
        const floor = defaultOf('identityRetryMs');
        expect(ms).toBeGreaterThanOrEqual(Math.max(floor, Math.floor(leftMs * 0.45)));
        expect(ms).toBeLessThanOrEqual(Math.max(floor, Math.ceil(leftMs * 0.55)));
      }),
    );
  });

  it('a wait after a failure ends before the certificate that is held does, unless that is a matter of a second', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 24 * HOUR_MS }),
        chance,
        (failures, leftMs, random) => {
          const ms = retryMs(failures, leftMs, () => random);
          expect(ms).toBeGreaterThanOrEqual(defaultOf('identityRetryMs') * 0.8 - 1);
          expect(ms).toBeLessThanOrEqual(defaultOf('identityRetryMaxMs') * 1.2 + 1);
          if (leftMs > 2 * defaultOf('identityRetryMs')) expect(ms).toBeLessThan(leftMs);
        },
      ),
    );
  });

  it('whatever happens in whatever order: one question at a time, one timer at a time, nothing after the end', () => {
    const event: fc.Arbitrary<RotationEvent> = fc.oneof(
      fc.constantFrom<RotationEvent>({ kind: 'start' }, { kind: 'due' }, { kind: 'nudge' }, { kind: 'close' }, failed),
      fc.integer({ min: 1, max: HOUR_MS }).map(issued),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), chance, (events, random) => {
        let state: Rotation = { kind: 'idle' };
        let isAsked = false;
        let hasTimer = false;
        for (const one of events) {
          // A timer that was not started does not fire, and a question not asked is not answered.
          if (one.kind === 'due' && !hasTimer) continue;
          if ((one.kind === 'issued' || one.kind === 'failed') && !isAsked) continue;
          if (one.kind === 'due') hasTimer = false;
          if (one.kind === 'issued' || one.kind === 'failed') isAsked = false;
          const [next, effects] = stepRotation(state, one, () => random);
          for (const effect of effects) {
            expect(state.kind).not.toBe('closed');
            if (effect.kind === 'ask') {
              expect(isAsked || hasTimer).toBe(false);
              isAsked = true;
            } else if (effect.kind === 'wait') {
              expect(isAsked || hasTimer).toBe(false);
              hasTimer = true;
            } else hasTimer = false;
          }
          state = next;
          expect([isAsked, hasTimer]).toEqual([isAsked && state.kind !== 'idle', hasTimer && state.kind !== 'closed']);
        }
      }),
    );
  });
});

const failed: RotationEvent = { kind: 'failed', nowMs: 0 };
const issued = (leftMs: number): RotationEvent => ({ kind: 'issued', nowMs: 0, leftMs });
