import { mkdirSync, writeFileSync } from 'node:fs';
import { buildControlPlane } from '../control-plane-go/control-plane.ts';
import { CASES } from './cases.ts';
import { findPeers } from './clients.ts';
import { RECORDED_FILE, readRecorded } from './recorded.ts';
import { type Player, Theatre } from './run.ts';

/** Plays the cases by every client and writes down what each did: all, or those whose name has the first argument; `--dry` only prints. */
const [wanted = ''] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const only = process.argv
  .find((word) => word.startsWith('--by='))
  ?.slice(5)
  .split(',') as Player[] | undefined;
const binary = buildControlPlane();
if (binary === undefined) throw new Error('no Go');
const cases = CASES.filter(({ name }) => new RegExp(wanted).test(name));
const begun = performance.now();
const theatre = await Theatre.open(binary, findPeers());
const players: readonly Player[] = only ?? ['go', 'core', 'node', 'ours', 'sotw', 'fetch'];
const outcomes = await theatre.playAll(cases, players);
await theatre.close();
const recorded: Record<string, Partial<Record<Player, readonly string[]>>> = { ...readRecorded() };
for (const { name } of cases) {
  const played = outcomes.get(name) ?? {};
  process.stdout.write(`${name}\n`);
  for (const player of players) {
    const outcome = played[player];
    if (outcome === undefined) continue;
    const { lines, missed, refusals } = outcome;
    if (player === 'go' || player === 'core' || player === 'node')
      recorded[name] = { ...recorded[name], [player]: lines };
    process.stdout.write(`    ${player.padEnd(6)}${[...lines, ...missed.map((why) => `MISSED ${why}`)].join(' | ')}\n`);
    if (process.argv.includes('--why')) for (const why of refusals) process.stdout.write(`          ${why}\n`);
  }
}
if (!process.argv.includes('--dry')) {
  mkdirSync(new URL('.', RECORDED_FILE), { recursive: true });
  const ordered = CASES.flatMap(({ name }) => (name in recorded ? [[name, recorded[name]]] : []));
  writeFileSync(RECORDED_FILE, `${JSON.stringify(Object.fromEntries(ordered), undefined, 1)}\n`);
}
process.stdout.write(`${cases.length} cases in ${Math.round(performance.now() - begun)} ms\n`);
