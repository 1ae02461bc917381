import { mkdirSync, writeFileSync } from 'node:fs';
import { findEnvoy } from '../envoy-hash/envoy.ts';
import { CASES } from './cases.ts';
import { RECORDED_FILE, readRecorded } from './recorded.ts';
import { playLive } from './run.ts';

/** Plays the cases through live Envoy and writes down what it did: all, or those whose name has the first argument; `--dry` only prints. */
const [wanted = ''] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const binary = findEnvoy();
if (binary === undefined) throw new Error('no Envoy binary');
const cases = CASES.filter(({ name }) => new RegExp(wanted).test(name));
const begun = performance.now();
const outcomes = await playLive(binary, cases);
const recorded: Record<string, unknown> = { ...readRecorded() };
for (const { name } of cases) {
  const outcome = outcomes.get(name);
  if (outcome === undefined) continue;
  const { lines, counters, details, missed } = outcome;
  recorded[name] = { lines, counters, details };
  process.stdout.write(
    `${name}\n${[...lines, ...missed.map((text) => `MISSED ${text}`)].map((line) => `    ${line}\n`).join('')}`,
  );
  process.stdout.write(`    ${JSON.stringify(counters)} ${JSON.stringify(details)}\n`);
}
if (!process.argv.includes('--dry')) {
  mkdirSync(new URL('.', RECORDED_FILE), { recursive: true });
  const ordered = CASES.flatMap(({ name }) => (name in recorded ? [[name, recorded[name]]] : []));
  writeFileSync(RECORDED_FILE, `${JSON.stringify(Object.fromEntries(ordered), undefined, 1)}\n`);
}
process.stdout.write(`${cases.length} cases in ${Math.round(performance.now() - begun)} ms\n`);
