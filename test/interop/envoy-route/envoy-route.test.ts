import { describe, expect, it } from 'vitest';
import { ENVOY_VERSION, findEnvoy } from '../envoy-hash/envoy.ts';
import { round, tally } from './round.ts';

const binary = findEnvoy();
const firstSeed = Number(process.env.INMESH_INTEROP_SEED ?? 1);
const seeds = Array.from({ length: process.env.INMESH_INTEROP !== 'brief' ? 12 : 2 }, (_, index) => firstSeed + index);

/** What is known to differ stands in docs/compatibility.md, and is left out of the generated tables or named in round.ts. */
describe.skipIf(binary === undefined)(
  `routes beside live Envoy ${ENVOY_VERSION} (skipped without an Envoy binary)`,
  () => {
    it.each(seeds)('seed %i: the same status, cluster, path, host, location, body and headers', async (seed) => {
      const { tables, outcomes, differences } = await round(binary ?? '', seed);
      process.stdout.write(`seed ${seed}: ${tables} route tables, requests ${JSON.stringify(outcomes)}\n`);
      const fields = JSON.stringify(tally(differences.flatMap((difference) => Object.keys(difference.fields))));
      expect(differences.slice(0, 3), `${differences.length} requests differ, in ${fields}`).toEqual([]);
    });
  },
);
