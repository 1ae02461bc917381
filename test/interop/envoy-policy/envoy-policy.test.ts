import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { ENVOY_VERSION, findEnvoy } from '../envoy-hash/envoy.ts';
import type { PolicyCase } from './case.ts';
import { CASES } from './cases.ts';
import { ENABLED } from './enabled.ts';
import type { Outcome } from './play.ts';
import { readRecorded } from './recorded.ts';
import { playLive, playSdk, playUntilFit } from './run.ts';

const binary = findEnvoy();
const recorded = readRecorded();

/** Holds the SDK to further cases for once: a regular expression of names. */
const TRIED = process.env.INMESH_POLICY_TRY;
const isHeld = ({ name }: PolicyCase): boolean =>
  ENABLED.has(name) || (TRIED !== undefined && new RegExp(TRIED).test(name));
const held = CASES.filter(isHeld);

const isLikeEnvoy = ({ name }: PolicyCase, outcome: Outcome | undefined): boolean =>
  outcome?.missed.length === 0 && isDeepStrictEqual(outcome.lines, recorded[name]?.lines);

const isAsRecorded = (policyCase: PolicyCase, outcome: Outcome | undefined): boolean =>
  isLikeEnvoy(policyCase, outcome) && isDeepStrictEqual(outcome?.counters, recorded[policyCase.name]?.counters);

describe('the cases of call policy', () => {
  it('have names of their own, and a recording each', () => {
    const names = CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !(name in recorded))).toEqual([]);
    expect([...ENABLED].filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe.skipIf(binary === undefined)(
  `call policy in live Envoy ${ENVOY_VERSION} (skipped without an Envoy binary)`,
  () => {
    let outcomes: ReadonlyMap<string, Outcome> = new Map();
    beforeAll(async () => {
      outcomes = await playUntilFit(CASES, (list) => playLive(binary ?? '', list), isAsRecorded);
    });

    it.each(CASES)('$name: $rule', ({ name }) => {
      const { lines = [], missed, counters } = outcomes.get(name) ?? {};
      expect({ lines, counters, missed }).toEqual({
        lines: recorded[name]?.lines,
        counters: recorded[name]?.counters,
        missed: [],
      });
    });
  },
);

describe('call policy in the SDK, beside what Envoy did', () => {
  let outcomes: ReadonlyMap<string, Outcome> = new Map();
  beforeAll(async () => {
    outcomes = await playUntilFit(
      held,
      playSdk,
      (one, outcome) => !ENABLED.has(one.name) || isLikeEnvoy(one, outcome) === (one.differs === undefined),
    );
  });

  for (const policyCase of CASES) {
    const { name, rule, differs } = policyCase;
    it.runIf(isHeld(policyCase))(`${name}: ${differs ?? rule}`, () => {
      const { lines, missed } = outcomes.get(name) ?? {};
      if (differs === undefined) expect({ lines, missed }).toEqual({ lines: recorded[name]?.lines, missed: [] });
      else expect(isLikeEnvoy(policyCase, outcomes.get(name)), `${differs} Yet it does as Envoy does.`).toBe(false);
    });
  }
});
