import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ASKED, type Subscription, type SubscriptionEvent, stepSubscription } from './subscription.ts';

const waiting: Subscription = { kind: 'asked', clock: true };
const present: Subscription = { kind: 'present', version: '1' };
const accepted: SubscriptionEvent = { kind: 'accepted', version: '2' };
const bad: SubscriptionEvent = { kind: 'bad', reason: 'x' };
const removed: SubscriptionEvent = { kind: 'removed', reason: 'x' };
const timeout: SubscriptionEvent = { kind: 'timeout', reason: 'x', isTransient: false };

describe('a subscription', () => {
  it.each<[string, Subscription, SubscriptionEvent, Subscription, string[]]>([
    ['the timers start when the server can be spoken to', ASKED, { kind: 'stream-up' }, waiting, ['start-timers']],
    ['and stop when it cannot', waiting, { kind: 'stream-down' }, ASKED, ['stop-timers']],
    ['silence is told and changes nothing', waiting, { kind: 'silent' }, waiting, ['tell-silent']],
    ['long silence is absence', waiting, timeout, { kind: 'absent', reason: 'x' }, ['tell-absent']],
    [
      'an answer stops the timers',
      waiting,
      accepted,
      { kind: 'present', version: '2' },
      ['stop-timers', 'tell-resource'],
    ],
    ['a new version replaces', present, accepted, { kind: 'present', version: '2' }, ['tell-resource']],
    ['a bad version keeps the last good one', present, bad, { ...present, rejected: 'x' }, ['tell-error']],
    [
      'a good version ends the error',
      { ...present, rejected: 'x' },
      accepted,
      { kind: 'present', version: '2' },
      ['tell-resource'],
    ],
    ['a bad first version is an error', waiting, bad, { kind: 'rejected', reason: 'x' }, ['stop-timers', 'tell-error']],
    ['deletion', present, removed, { kind: 'absent', reason: 'x' }, ['tell-absent']],
    ['deletion is told once', { kind: 'absent', reason: 'x' }, removed, { kind: 'absent', reason: 'x' }, []],
    ['re-adding', { kind: 'absent', reason: 'x' }, accepted, { kind: 'present', version: '2' }, ['tell-resource']],
    ['what is known survives an outage', present, { kind: 'stream-down' }, present, []],
    ['and no timer can take it away', present, timeout, present, []],
  ])('%s', (_rule, state, event, next, effects) => {
    expect(stepSubscription(state, event)).toEqual([next, effects]);
  });

  it('has its timers running exactly while it waits and the stream is up, in any order of events', () => {
    const event = fc.constantFrom<SubscriptionEvent>(
      accepted,
      bad,
      removed,
      timeout,
      { kind: 'stream-up' },
      { kind: 'stream-down' },
      { kind: 'silent' },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = ASKED;
        let running = false;
        for (const one of events) {
          if (one.kind === 'timeout' && !running) continue;
          const [next, effects] = stepSubscription(state, one);
          for (const effect of effects) {
            if (effect === 'start-timers') {
              expect(running).toBe(false);
              running = true;
            }
            if (effect === 'stop-timers') {
              expect(running).toBe(true);
              running = false;
            }
          }
          if (one.kind === 'timeout' && next !== state) running = false;
          state = next;
          expect(running).toBe(state.kind === 'asked' && state.clock);
        }
      }),
    );
  });
});
