import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENVOY_VERSION, findEnvoy } from '../envoy-hash/envoy.ts';
import type { BalanceCase, Group } from './cases.ts';
import { type LiveBalancing, startLive } from './live.ts';
import { OwnBalancing } from './own.ts';
import { SLOW_ROWS, type SlowRow, WINDOW_MS } from './slow-rows.ts';
import { misfit } from './statistics.ts';

const binary = findEnvoy();
const isFull = process.env.INMESH_INTEROP !== 'brief';

const KEYS = Array.from({ length: isFull ? 5_000 : 600 }, (_, index) => `key-${index}`);
const TICK_MS = 25;
const PER_TICK = isFull ? 40 : 10;
const QUARTERS = 4;

const hash = (name: string, policy: string): BalanceCase => ({
  name,
  live: true,
  cluster: { lb_policy: policy, common_lb_config: { healthy_panic_threshold: { value: 0 } } },
  groups: [{ hosts: 'H'.repeat(20) }],
});
const CHURN = [hash('churn-ring', 'RING_HASH'), hash('churn-maglev', 'MAGLEV')];
const DRAIN: BalanceCase = { name: 'drain', live: true, groups: [{ hosts: 'HHH' }] };

/** What becomes of 20 hosts, one step after the other, and which part of the keys may move: that of the hosts concerned. */
const STEPS: readonly { readonly what: string; readonly groups: readonly Group[]; readonly concerned: number }[] = [
  { what: 'one is drained', groups: [{ hosts: 'HHHHHHHDHHHHHHHHHHHH' }], concerned: 1 },
  { what: 'it is back', groups: [{ hosts: 'HHHHHHHHHHHHHHHHHHHH' }], concerned: 1 },
  { what: 'the first one goes', groups: [{ hosts: 'H'.repeat(19), first: 1 }], concerned: 1 },
  { what: 'another one comes', groups: [{ hosts: 'H'.repeat(20), first: 1 }], concerned: 1 },
  {
    what: 'two fail while two are degraded',
    groups: [{ hosts: 'HHHHHHUHHHGHHHTHHGHH', first: 1 }],
    concerned: 4,
  },
];

describe.skipIf(binary === undefined)(
  `endpoints that change, beside live Envoy ${ENVOY_VERSION} (skipped without an Envoy binary)`,
  () => {
    let live: LiveBalancing;
    let own: ReadonlyMap<string, OwnBalancing>;
    let begunMs = 0;
    const ownOf = ({ name }: BalanceCase): OwnBalancing => {
      const found = own.get(name);
      if (found === undefined) throw new RangeError(name);
      return found;
    };
    const assign = async (balanceCase: BalanceCase): Promise<void> => {
      await live.assign(balanceCase);
      await ownOf(balanceCase).assign(balanceCase);
    };
    beforeAll(async () => {
      const cases = [...SLOW_ROWS.map((row) => row.balanceCase), ...CHURN, DRAIN];
      live = await startLive(binary ?? '', cases);
      own = new Map(cases.map((balanceCase) => [balanceCase.name, new OwnBalancing(balanceCase, live.port)]));
      for (const balancing of own.values()) {
        await balancing.upstream.prepare();
        // Hosts are made at the first pick: their time begins now.
        balancing.ask(['']);
      }
      begunMs = performance.now();
    });
    afterAll(() => live?.stop());

    it.each(CHURN)(
      `$name: ${KEYS.length} keys stay together through every change, and few move`,
      async (balanceCase) => {
        const balancing = ownOf(balanceCase);
        let before = balancing.ask(KEYS);
        expect(before).toEqual(await live.ask(balanceCase.name, KEYS));
        for (const { what, groups, concerned } of STEPS) {
          await assign({ ...balanceCase, groups });
          await delay(30);
          const after = balancing.ask(KEYS);
          expect(after, what).toEqual(await live.ask(balanceCase.name, KEYS));
          const moved = after.filter((host, index) => host !== before[index]).length / KEYS.length;
          // A ring of a minimum size gives each host that stays more entries, which take as much again.
          expect(moved, what).toBeLessThan((2 * concerned) / 20 + 0.04);
          before = after;
        }
      },
    );

    it('a draining host gets no new request, and what it has ends', async () => {
      const held = await live.hold(DRAIN.name);
      const ours = ownOf(DRAIN).hold();
      const drained = (host: number): BalanceCase => ({
        ...DRAIN,
        groups: [{ hosts: Array.from('HHH', (letter, index) => (index === host ? 'D' : letter)).join('') }],
      });
      await live.assign(drained(held.host));
      await ownOf(DRAIN).assign(drained(ours.host));
      await delay(30);
      const keys = new Array<string>(60).fill('');
      expect(await live.ask(DRAIN.name, keys)).not.toContain(held.host);
      expect(ownOf(DRAIN).ask(keys)).not.toContain(ours.host);
      await held.answer();
      ours.answer();
    });

    describe(`slow start, window ${WINDOW_MS} ms: quarter by quarter the new host gets as many, within 3 and 3 %`, () => {
      let counts: ReadonlyMap<SlowRow, SlowCounts>;
      beforeAll(async () => {
        // Until then all hosts are new, and alike.
        await delay(Math.max(0, begunMs + WINDOW_MS + 200 - performance.now()));
        for (const { balanceCase, after } of SLOW_ROWS) await assign({ ...balanceCase, groups: after });
        counts = await sample(live, ownOf);
      });

      it('a host that was ill does not start slowly again', async () => {
        const [{ balanceCase, after } = { balanceCase: DRAIN, after: [] }] = SLOW_ROWS;
        await assign({ ...balanceCase, groups: [{ hosts: 'HUH' }] });
        await assign({ ...balanceCase, groups: after });
        await delay(30);
        const keys = new Array<string>(300).fill('');
        for (const picks of [await live.ask(balanceCase.name, keys), ownOf(balanceCase).ask(keys)]) {
          expect(misfit(picks, new Map([0, 1, 2].map((host) => [host, 1 / 3])))).toBeUndefined();
        }
      });

      it.each(SLOW_ROWS)('$rule', (row) => {
        const { asked = [], due = [], theirs = [], ours = [] } = counts.get(row) ?? {};
        for (let quarter = 0; quarter <= QUARTERS; quarter++) {
          const [total = 0, a = 0, b = 0] = [asked[quarter], theirs[quarter], ours[quarter]];
          const what = `quarter ${quarter}: Envoy ${a}, here ${b} of ${total}`;
          expect(total, what).toBeGreaterThan(0);
          expect(Math.abs(a - b), what).toBeLessThanOrEqual(3 + 0.03 * total);
          expect(Math.abs(a - (due[quarter] ?? 0)), what).toBeLessThanOrEqual(3 + 0.05 * total);
        }
      });
    });
  },
);

interface SlowCounts {
  readonly asked: number[];
  /** What Envoy's formula gives at the times of the requests. */
  readonly due: number[];
  readonly theirs: number[];
  readonly ours: number[];
}

/** Picks of the new host by quarter of the window, and by the quarter after it. */
async function sample(
  live: LiveBalancing,
  ownOf: (balanceCase: BalanceCase) => OwnBalancing,
): Promise<ReadonlyMap<SlowRow, SlowCounts>> {
  const counts = new Map(SLOW_ROWS.map((row) => [row, { asked: [0], due: [0], theirs: [0], ours: [0] }]));
  const begin = performance.now();
  const keys = new Array<string>(PER_TICK).fill('');
  for (;;) {
    const quarter = Math.floor((performance.now() - begin) / (WINDOW_MS / QUARTERS));
    if (quarter > QUARTERS) return counts;
    for (const [{ balanceCase, fresh, share }, { asked, due, theirs, ours }] of counts) {
      const isFresh = (host: number): boolean => host === fresh;
      due[quarter] = (due[quarter] ?? 0) + PER_TICK * share((performance.now() - begin) / WINDOW_MS);
      asked[quarter] = (asked[quarter] ?? 0) + PER_TICK;
      theirs[quarter] = (theirs[quarter] ?? 0) + (await live.ask(balanceCase.name, keys)).filter(isFresh).length;
      ours[quarter] = (ours[quarter] ?? 0) + ownOf(balanceCase).ask(keys).filter(isFresh).length;
    }
    await delay(TICK_MS);
  }
}
