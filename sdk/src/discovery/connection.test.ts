import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../test/harness/seeded-random.ts';
import { backoffMs, isLocalServer } from './backoff.ts';
import { type Connection, type ConnectionEffect, type ConnectionEvent, stepConnection } from './connection.ts';

const rules = { isLocal: false, mayFallBack: true, random: () => 0x8000_0000 };
const IDLE: Connection = { kind: 'idle', method: 'delta' };

function run(events: readonly ConnectionEvent[], from: Connection = IDLE) {
  let state = from;
  const effects: ConnectionEffect[] = [];
  for (const event of events) {
    const [next, done] = stepConnection(state, event, rules);
    state = next;
    effects.push(...done);
  }
  return { state, effects };
}

const lost = (code: number, nowMs: number): ConnectionEvent => ({
  kind: 'lost',
  status: { code, message: 'why' },
  nowMs,
});
const retries = (effects: readonly ConnectionEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'retry-after' ? effect.ms : []));

describe('the life of the stream', () => {
  it('opens once, whoever asks', () => {
    expect(run([{ kind: 'wanted' }, { kind: 'wanted' }]).effects).toEqual([{ kind: 'open', method: 'delta' }]);
  });

  it('a first message is as good as an opened connection', () => {
    expect(run([{ kind: 'wanted' }, { kind: 'message', nowMs: 5 }])).toMatchObject({
      state: { kind: 'up', sinceMs: 5, delivered: true },
      effects: [{ kind: 'open' }, { kind: 'announce-up' }],
    });
  });

  it('UNIMPLEMENTED changes the method, once, without a wait', () => {
    const { state, effects } = run([{ kind: 'wanted' }, { kind: 'opened', nowMs: 1 }, lost(12, 2), lost(12, 3)]);
    expect(effects.map(({ kind }) => kind)).toEqual(['open', 'announce-up', 'open', 'retry-after']);
    expect(state).toMatchObject({ kind: 'waiting', method: 'sotw', reason: 'why' });
  });

  it('UNIMPLEMENTED of a stream that delivered is a failure like others', () => {
    expect(run([{ kind: 'wanted' }, { kind: 'message', nowMs: 1 }, lost(12, 5_000)]).state).toMatchObject({
      method: 'delta',
    });
  });

  it('counts failures across opened connections that delivered nothing', () => {
    const round: ConnectionEvent[] = [{ kind: 'opened', nowMs: 0 }, lost(14, 9_999), { kind: 'retry' }];
    expect(retries(run([{ kind: 'wanted' }, ...round, ...round, ...round]).effects)).toEqual([1_000, 1_600, 2_560]);
  });

  it('a local server is asked four times a second while it is away, not while it refuses who asks', () => {
    const delays = (code: number): readonly number[] => {
      const [, first] = stepConnection({ kind: 'connecting', method: 'delta', failures: 9 }, lost(code, 0), {
        ...rules,
        isLocal: true,
      });
      return retries(first);
    };
    expect(delays(14)).toEqual([250]);
    expect(delays(16)).toEqual(delays(7));
    expect(delays(16)[0]).toBeGreaterThan(30_000);
  });

  it('forgets failures when something was delivered', () => {
    const bad: ConnectionEvent[] = [lost(14, 0), { kind: 'retry' }];
    const good: ConnectionEvent[] = [{ kind: 'message', nowMs: 10_000 }, lost(14, 20_000), { kind: 'retry' }];
    expect(retries(run([{ kind: 'wanted' }, ...bad, ...bad, ...good, ...bad]).effects)).toEqual([
      1_000, 1_600, 0, 1_000,
    ]);
  });

  it('close ends it, whatever comes later', () => {
    const { state, effects } = run([
      { kind: 'wanted' },
      { kind: 'close' },
      lost(14, 1),
      { kind: 'retry' },
      { kind: 'wanted' },
    ]);
    expect(state).toEqual({ kind: 'closed' });
    expect(effects).toEqual([{ kind: 'open', method: 'delta' }, { kind: 'close-stream' }]);
  });

  it('never has two streams, and never waits twice, in any order of events', () => {
    const event: fc.Arbitrary<ConnectionEvent> = fc.oneof(
      fc.constant<ConnectionEvent>({ kind: 'wanted' }),
      fc.constant<ConnectionEvent>({ kind: 'retry' }),
      fc.constant<ConnectionEvent>({ kind: 'close' }),
      fc.nat(1e6).map((nowMs): ConnectionEvent => ({ kind: 'opened', nowMs })),
      fc.nat(1e6).map((nowMs): ConnectionEvent => ({ kind: 'message', nowMs })),
      fc.tuple(fc.constantFrom(0, 12, 14), fc.nat(1e6)).map(([code, nowMs]) => lost(code, nowMs)),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state: Connection = IDLE;
        let open = false;
        let waiting = false;
        for (const one of events) {
          const [next, effects] = stepConnection(state, one, rules);
          if (one.kind === 'lost') open = false;
          if (one.kind === 'retry' && state.kind === 'waiting') waiting = false;
          for (const effect of effects) {
            if (effect.kind === 'open') {
              expect(open || waiting).toBe(false);
              open = true;
            }
            if (effect.kind === 'retry-after') {
              expect(open || waiting).toBe(false);
              expect(effect.ms).toBeLessThanOrEqual(144_000);
              waiting = true;
            }
            if (effect.kind === 'close-stream') open = waiting = false;
          }
          state = next;
        }
      }),
    );
  });
});

describe('back-off', () => {
  it('jitters by 20 % around 1 s × 1.6^n, at most 120 s', () => {
    const random = seededRandom(3);
    const waits = Array.from({ length: 1_000 }, () => backoffMs(1, false, random));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_200);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(350);
    expect(backoffMs(500, false, () => 0xffff_ffff)).toBeLessThanOrEqual(144_000);
  });

  it.each([
    ['127.0.0.1:15010', true],
    ['localhost:15010', true],
    ['[::1]:15010', true],
    ['unix:/run/xds', true],
    ['http://127.0.0.1:1', true],
    ['dns:///localhost:1', true],
    ['in-process', true],
    ['10.0.0.1:15010', false],
    ['istiod.istio-system:15010', false],
    ['localhost.evil.example:1', false],
    ['1127.0.0.1:1', false],
  ])('%s is local: %s', (server, isLocal) => {
    expect(isLocalServer(server)).toBe(isLocal);
  });
});
