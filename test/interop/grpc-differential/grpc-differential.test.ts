import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildControlPlane } from '../control-plane-go/control-plane.ts';
import type { GrpcCase } from './case.ts';
import { CASES, isTelling } from './cases.ts';
import { type ClientKind, findPeers } from './clients.ts';
import type { Outcome } from './play.ts';
import { readRecorded } from './recorded.ts';
import { type Player, Theatre } from './run.ts';

const recorded = readRecorded();
const NAMES = { go: 'grpc-go', core: 'grpcio', node: 'grpc-js-xds' } as const;
const isFull = process.env.INMESH_INTEROP !== 'brief';
const played = CASES.filter((one) => isFull || isTelling(one));
const binary = buildControlPlane();
const peers = findPeers();

/** A busy machine upsets what hangs on time: what does not fit is played again, with fewer beside it. */
const ROUNDS = 4;

const isAsRecorded = (one: GrpcCase, player: Player, outcome: Outcome | undefined): boolean =>
  same(outcome, recorded[one.name]?.[player as ClientKind]);

const same = (outcome: Outcome | undefined, lines: readonly string[] | undefined): boolean =>
  outcome?.missed.length === 0 && JSON.stringify(outcome.lines) === JSON.stringify(lines);

/** As grpc-go and grpcio do; where they do not agree, as one of them. */
const isLikeReference = ({ name }: GrpcCase, outcome: Outcome | undefined): boolean =>
  same(outcome, recorded[name]?.go) || same(outcome, recorded[name]?.core);

const reasonOf = ({ differs, notYet }: GrpcCase): string | undefined => differs ?? notYet;

const fits = (one: GrpcCase, player: Player, outcome: Outcome | undefined): boolean => {
  if (player === 'fetch') return true;
  if (player !== 'ours' && player !== 'sotw') return isAsRecorded(one, player, outcome);
  return outcome?.missed.length === 0 && isLikeReference(one, outcome) === (reasonOf(one) === undefined);
};

const PLAYERS: readonly Player[] = ['go', 'core', 'node', 'ours', 'sotw', 'fetch'];

async function playUntilFit(theatre: Theatre): Promise<(one: GrpcCase, player: Player) => Outcome | undefined> {
  const outcomes = new Map<string, Map<Player, Outcome>>(played.map(({ name }) => [name, new Map()]));
  let left: readonly GrpcCase[] = played;
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    const again = await theatre.playAll(left, PLAYERS, round === 0 ? undefined : 2);
    for (const one of left) {
      const kept = outcomes.get(one.name);
      for (const player of PLAYERS) {
        const outcome = again.get(one.name)?.[player];
        if (outcome && kept && !(kept.has(player) && fits(one, player, kept.get(player)))) kept.set(player, outcome);
      }
    }
    left = left.filter((one) =>
      [...(outcomes.get(one.name) ?? [])].some(([player, outcome]) => !fits(one, player, outcome)),
    );
  }
  return ({ name }, player) => outcomes.get(name)?.get(player);
}

describe('cases of proxyless gRPC', () => {
  it('have names of their own, and what grpc-go, grpcio and grpc-js-xds did is recorded', () => {
    const names = CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(Object.keys(recorded[name] ?? {}).sort(), name).toEqual(['core', 'go', 'node']);
    expect(Object.keys(recorded).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe.skipIf(binary === undefined)('proxyless gRPC, case by case (skipped without Go)', () => {
  let theatre: Theatre | undefined;
  let outcomeOf: (one: GrpcCase, player: Player) => Outcome | undefined = () => undefined;
  beforeAll(async () => {
    if (binary === undefined) return;
    theatre = await Theatre.open(binary, peers);
    outcomeOf = await playUntilFit(theatre);
  }, 1_200_000);
  afterAll(() => theatre?.close());

  for (const player of ['go', 'core', 'node'] as const) {
    describe.skipIf(!peers.has(player))(`${NAMES[player]} does as it is recorded`, () => {
      it.each(played)('$name: $rule', (one) => {
        expect(outcomeOf(one, player)).toMatchObject({ lines: recorded[one.name]?.[player], missed: [] });
      });
    });
  }

  for (const player of ['ours', 'sotw'] as const) {
    describe(`the channel of the mesh does as they do, over ${player === 'ours' ? 'delta' : 'the state of the world'}`, () => {
      for (const one of played) {
        const reason = reasonOf(one);
        it(`${one.name}: ${reason ?? one.rule}`, () => {
          const outcome = outcomeOf(one, player);
          const { go, core } = recorded[one.name] ?? {};
          expect(outcome?.missed).toEqual([]);
          if (reason === undefined) expect([go, core]).toContainEqual(outcome?.lines);
          else expect([go, core], `${reason} Yet it does as they do.`).not.toContainEqual(outcome?.lines);
        });
      }
    });
  }

  it.each(played.filter((one) => one.fetch))('meshFetch reaches the hosts that the channel reaches: $name', (one) => {
    expect(outcomeOf(one, 'fetch')?.lines).toEqual(outcomeOf(one, 'ours')?.lines);
  });
});
