import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remainder } from '../../../sdk/src/balancer/hash/words.ts';
import { xxHash64 } from '../../../sdk/src/balancer/hash/xx-hash-64.ts';
import { ENVOY_VERSION, findEnvoy } from '../envoy-hash/envoy.ts';
import { type BalanceCase, numbered } from './cases.ts';
import { BY_HASH, GENERATED } from './generated.ts';
import { type LiveBalancing, startLive } from './live.ts';
import { BOUNDED, boundedPicks, LOAD_ROWS, loadHosts } from './load-rows.ts';
import { LOCALITY_ORDER, LOCALITY_STARTS, ORDER_ROWS } from './order-rows.ts';
import { OwnBalancing } from './own.ts';
import { caseOf, SHARE_ROWS, sharesOf } from './share-rows.ts';
import { disagreeing, misfit, offsetOf } from './statistics.ts';

const binary = findEnvoy();
const isFull = process.env.INMESH_INTEROP !== 'brief';

/** Sample sizes; every bound is left by honest chance once in a million times. */
const DRAWS = isFull ? 20_000 : 2_400;
const ORDERED = isFull ? 5_000 : 400;
const EXTRA_KEYS = isFull ? 900 : 50;

const SHARES = SHARE_ROWS.map((row, index) => ({ rule: row.rule, row, balanceCase: caseOf(row, index) }));

/** The same endpoints under ring hash: there the priority goes by the hash, so every one of 100 draws can be asked for. */
const hashed = ({ name, cluster, ...rest }: BalanceCase): BalanceCase => {
  const { common_lb_config = {} } = cluster ?? {};
  return { ...rest, name: `hash-${name}`, cluster: { common_lb_config, lb_policy: 'RING_HASH' } };
};
const HASHED = SHARES.map(({ rule, balanceCase }) => ({ rule, balanceCase: hashed(balanceCase) }));

/** Keys that hash to each of 0 to 99 modulo 100, and some more. */
const KEYS: readonly string[] = (() => {
  const byDraw = new Map<number, string>();
  for (let index = 0; byDraw.size < 100; index++) {
    const { hi, lo } = xxHash64(`key-${index}`);
    const draw = remainder(hi, lo, 100);
    if (!byDraw.has(draw)) byDraw.set(draw, `key-${index}`);
  }
  return [...byDraw.values(), ...Array.from({ length: EXTRA_KEYS }, (_, index) => `more-${index}`)];
})();

describe.skipIf(binary === undefined)(
  `balancing beside live Envoy ${ENVOY_VERSION} (skipped without an Envoy binary)`,
  () => {
    let live: LiveBalancing;
    beforeAll(async () => {
      const cases = [...SHARES, ...HASHED, ...ORDER_ROWS, ...LOAD_ROWS].map(({ balanceCase }) => balanceCase);
      live = await startLive(binary ?? '', [...cases, ...GENERATED, ...BOUNDED, LOCALITY_ORDER]);
    });
    afterAll(() => live?.stop());

    describe(`shares: ${DRAWS} draws of each, chi-square at one in a million`, () => {
      it.each(SHARES)('$rule', async ({ row, balanceCase }) => {
        const shares = sharesOf(row);
        const theirs = await live.askMany(balanceCase.name, DRAWS);
        const ours = new OwnBalancing(balanceCase, live.port).askMany(theirs.length);
        expect(misfit(theirs, shares), 'Envoy').toBeUndefined();
        expect(misfit(ours, shares), 'here').toBeUndefined();
      });
    });

    describe(`priorities draw by draw: ${KEYS.length} keys of each, every key at the same host`, () => {
      it.each(HASHED)('$rule', async ({ balanceCase }) => {
        const own = new OwnBalancing(balanceCase, live.port);
        await own.upstream.prepare();
        expect(own.ask(KEYS)).toEqual(await live.ask(balanceCase.name, KEYS));
      });
    });

    describe(`${GENERATED.length} generated clusters`, () => {
      it.each(GENERATED)('$name', async (balanceCase) => {
        const own = new OwnBalancing(balanceCase, live.port);
        await own.upstream.prepare();
        if (BY_HASH.has(balanceCase.cluster?.lb_policy)) {
          expect(own.ask(KEYS)).toEqual(await live.ask(balanceCase.name, KEYS));
          return;
        }
        const theirs = await live.askMany(balanceCase.name, DRAWS);
        expect(disagreeing(theirs, own.askMany(theirs.length))).toEqual([]);
      });
    });

    describe(`order of ${ORDERED} requests, from one of the possible starts`, () => {
      it.each(ORDER_ROWS)('$rule', async ({ balanceCase, starts }) => {
        const keys = new Array<string>(ORDERED).fill('');
        const theirs = await live.ask(balanceCase.name, keys);
        expect(startsThatGive(balanceCase, starts, (picks) => offsetOf(theirs, picks) >= 0)).not.toEqual([]);
      });

      it('localities in turn by weight, the hosts of each in turn', async () => {
        const theirs = await live.ask(LOCALITY_ORDER.name, new Array<string>(ORDERED).fill(''));
        const groups = numbered(LOCALITY_ORDER.groups);
        const localityOf = (host: number): number => groups.findIndex((ids) => ids.includes(host));
        const order = theirs.map(localityOf);
        const given = startsThatGive(
          LOCALITY_ORDER,
          LOCALITY_STARTS,
          (picks) => offsetOf(order, picks.map(localityOf)) >= 0,
        );
        expect(given).not.toEqual([]);
        for (const ids of groups) {
          const turns = theirs.filter((host) => ids.includes(host));
          const [first = 0] = turns;
          const expected = turns.map((_, turn) => ids[(ids.indexOf(first) + turn) % ids.length]);
          expect(turns).toEqual(expected);
        }
      });

      /** Starts from which our own picks are as they should be. */
      function startsThatGive(from: BalanceCase, starts: number, isRight: (picks: number[]) => boolean): number[] {
        return Array.from({ length: starts }, (_, seed) => seed).filter((seed) =>
          isRight(new OwnBalancing(from, live.port, { random: () => seed }).askMany(ORDERED + 2 * starts)),
        );
      }
    });

    describe(`with requests under way: ${DRAWS} draws, chi-square at one in a million`, () => {
      it.each(LOAD_ROWS)('$rule', async ({ balanceCase, loads, shares }) => {
        const keys = new Array<string>(DRAWS).fill('');
        const expected = new Map(shares.map((share, host) => [host, share]));
        const theirs = await loadHosts(loads, () => live.hold(balanceCase.name));
        expect(misfit(await live.ask(balanceCase.name, keys), expected), 'Envoy').toBeUndefined();
        for (const request of theirs) await request.answer();
        const own = new OwnBalancing(balanceCase, live.port);
        await loadHosts(loads, () => own.hold());
        expect(misfit(own.ask(keys), expected), 'here').toBeUndefined();
      });

      it.each(BOUNDED)('$name: every one of 100 requests at the same host', async (balanceCase) => {
        const own = new OwnBalancing(balanceCase, live.port);
        await own.upstream.prepare();
        const theirs = await boundedPicks((key) => live.hold(balanceCase.name, key));
        expect(await boundedPicks((key) => own.hold(key))).toEqual(theirs);
      });
    });
  },
);
