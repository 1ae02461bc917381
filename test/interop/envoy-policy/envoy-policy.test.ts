import { beforeAll, describe, expect, it } from 'vitest';
import { ENVOY_VERSION, findEnvoy } from '../envoy-hash/envoy.ts';
import type { PolicyCase } from './case.ts';
import { CASES } from './cases.ts';
import { ENABLED } from './enabled.ts';
import type { Outcome } from './play.ts';
import { type Recorded, readRecorded } from './recorded.ts';
import { playLive, playSdk } from './run.ts';

const binary = findEnvoy();
const recorded = readRecorded();

/** Holds the SDK to further cases for once: a regular expression of names. */
const TRIED = process.env.INMESH_POLICY_TRY;
const isHeld = ({ name }: PolicyCase): boolean =>
  ENABLED.has(name) || (TRIED !== undefined && new RegExp(TRIED).test(name));
const held = CASES.filter(isHeld);

const shown = ({ lines }: Pick<Recorded[string], 'lines'>): readonly string[] => lines;

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
      outcomes = await playLive(binary ?? '', CASES);
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
    outcomes = await playSdk(held);
  });

  for (const policyCase of CASES) {
    const { name, rule, differs } = policyCase;
    it.runIf(isHeld(policyCase))(`${name}: ${differs ?? rule}`, () => {
      const own = outcomes.get(name);
      const theirs = recorded[name] ?? { lines: [] };
      if (differs === undefined) {
        expect({ lines: own?.lines, missed: own?.missed }).toEqual({ lines: shown(theirs), missed: [] });
      } else {
        expect(own?.missed.length === 0 ? own.lines : [...(own?.lines ?? []), 'missed'], differs).not.toEqual(
          shown(theirs),
        );
      }
    });
  }
});
