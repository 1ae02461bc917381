import { describe, expect, it } from 'vitest';
import { configOf, ownHeldPicks, readHeldVectors, readVectors } from '../../../test/interop/envoy-hash/vectors.ts';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import { addressText } from '../balancer/hash-key.ts';
import { systemClock, systemRandom } from '../clock.ts';
import { createUpstream } from './upstream.ts';

describe('an upstream with a hash balancer equals live Envoy, priorities and panic included', () => {
  it.each(readVectors().map((vector) => ({ name: vector.name, vector })))('$name', async ({ vector }) => {
    const upstream = createUpstream(configOf(vector), { clock: systemClock, random: systemRandom, emit: () => {} });
    await upstream.prepare();
    const index = new Map(vector.hosts.map((host, at) => [addressText(host), at]));
    const picks = Object.keys(vector.picks).map((key) => {
      const picked = upstream.pick({ hash: xxHash64(key) });
      return [key, picked.kind === 'pick' ? index.get(addressText(picked.host)) : picked.reason];
    });
    expect(Object.fromEntries(picks)).toEqual(vector.picks);
  });
});

describe('an upstream whose loads are bounded equals live Envoy with requests under way', () => {
  it.each(readHeldVectors().map((vector) => ({ name: vector.name, vector })))('$name', async ({ vector }) => {
    expect(await ownHeldPicks(vector, vector.steps)).toEqual(vector.picks);
  });
});
