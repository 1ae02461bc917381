import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xxHash64 } from '../../../sdk/src/balancer/hash/xx-hash-64.ts';
import { addressText } from '../../../sdk/src/balancer/hash-key.ts';
import { systemClock, systemRandom } from '../../../sdk/src/clock.ts';
import { createUpstream } from '../../../sdk/src/upstream/upstream.ts';
import { BOUNDED_CASES, CASES, heldSteps } from './cases.ts';
import { findEnvoy } from './envoy.ts';
import { type LiveHashing, startLive } from './live.ts';
import { configOf, ownHeldPicks } from './vectors.ts';

const binary = findEnvoy();
/** Other keys than the recorded ones. */
const KEYS = Array.from({ length: 200 }, (_, index) => `live-${(index * 40_503) % 65_536}-${'x'.repeat(index % 40)}`);

describe.skipIf(binary === undefined)('hash balancing beside live Envoy (skipped without an Envoy binary)', () => {
  let live: LiveHashing;
  beforeAll(async () => {
    live = await startLive(binary ?? '', [...CASES, ...BOUNDED_CASES]);
  });
  afterAll(() => live?.stop());

  it.each(CASES.map((hashCase) => ({ name: hashCase.name, hashCase })))(
    '$name: every key goes to the same host',
    async ({ hashCase }) => {
      const upstream = createUpstream(configOf(hashCase), { clock: systemClock, random: systemRandom, emit: () => {} });
      await upstream.prepare();
      const theirs = await live.picks(hashCase, KEYS);
      const ours = new Map(
        KEYS.map((key) => {
          const picked = upstream.pick({ hash: xxHash64(key) });
          return [key, picked.kind === 'pick' ? addressText(picked.host) : picked.reason];
        }),
      );
      const expected = new Map(
        [...theirs].map(([key, index]) => [key, addressText(hashCase.hosts[index] ?? { address: '', port: 0 })]),
      );
      expect(ours).toEqual(expected);
    },
  );

  it.each(BOUNDED_CASES.map((hashCase) => ({ name: hashCase.name, hashCase })))(
    '$name: with requests under way the overload goes to the same hosts',
    async ({ hashCase }) => {
      const steps = heldSteps(90);
      expect(await ownHeldPicks(hashCase, steps)).toEqual(await live.heldPicks(hashCase, steps));
    },
  );
});
