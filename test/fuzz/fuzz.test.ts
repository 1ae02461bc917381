import { describe, expect, it } from 'vitest';
import { fuzzHttp2 } from './hostile-http2.ts';
import { fuzzResources } from './hostile-resources.ts';
import { fuzzYaml } from './hostile-yaml.ts';
import { formatReport } from './report.ts';

/** A slice of `npm run fuzz`, another one each day; INMESH_FUZZ_SEED repeats one. */
const seed = Number(process.env.INMESH_FUZZ_SEED ?? Math.floor(Date.now() / 86_400_000));

describe(`hostile inputs (seed ${seed})`, () => {
  it.each([
    ['resources end nothing, are refused by name, and leave the last good ones', fuzzResources],
    ['YAML ends nothing, its problems have places, and what is served stays whole', fuzzYaml],
    ['servers of HTTP/2 end every request once, in order, and nothing else', fuzzHttp2],
  ])('%s', async (_, fuzz) => {
    const report = await fuzz({ seed, count: 300 });
    expect(report.faults, formatReport(report)).toEqual([]);
    expect(report.accepted).toBeGreaterThan(0);
    expect(report.refused).toBeGreaterThan(0);
  });
});
