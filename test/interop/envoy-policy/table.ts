import type { Area, PolicyCase } from './case.ts';
import { CASES } from './cases.ts';
import { ENABLED } from './enabled.ts';
import { readRecorded } from './recorded.ts';

type Standing = 'agrees' | 'differs' | 'not yet';

const standingOf = ({ name, differs }: PolicyCase): Standing => {
  if (!ENABLED.has(name)) return 'not yet';
  return differs === undefined ? 'agrees' : 'differs';
};

export const POLICY_HEAD = ['case', 'what', 'sample, tolerance', 'Envoy 1.40', 'SDK'] as const;

/** Rows of the table in docs/reference/call-policy-cases.md, by area. */
export function policyRows(): ReadonlyMap<Area, readonly (readonly string[])[]> {
  const recorded = readRecorded();
  const rows = new Map<Area, string[][]>();
  for (const policyCase of CASES) {
    const { name, area, rule, differs } = policyCase;
    const standing = standingOf(policyCase);
    const list = rows.get(area) ?? [];
    list.push([
      `\`${name}\``,
      rule,
      sampleOf(policyCase),
      policyCase.share ? `${policyCase.share.is * 100} %` : (recorded[name]?.lines ?? []).map(code).join('<br>'),
      standing === 'differs' ? `differs: ${differs}` : standing,
    ]);
    rows.set(area, list);
  }
  return rows;
}

/** How many cases stand how. */
export function policyCounts(): Readonly<Record<Standing, number>> {
  const counts = { agrees: 0, differs: 0, 'not yet': 0 };
  for (const policyCase of CASES) counts[standingOf(policyCase)]++;
  return counts;
}

const code = (line: string): string => `\`${line}\``;

function sampleOf({ steps, share }: PolicyCase): string {
  const asks = steps.flatMap((step) => ('waitMs' in step || 'see' in step || 'until' in step ? [] : [step]));
  const calls = asks.reduce((sum, { times = 1 }) => sum + times, 0);
  const isTimed = asks.some(({ lastsMs, gapsMs }) => lastsMs !== undefined || gapsMs !== undefined);
  const told = `${calls} ${calls === 1 ? 'call' : 'calls'}`;
  if (share) return `${told}, within chance of 1 in a million`;
  return `${told}, exact${isTimed ? '; times within bounds' : ''}`;
}
