import { CASES } from './cases.ts';
import { ENABLED } from './enabled.ts';
import { readRecorded } from './recorded.ts';

/** Rows of the table in docs/compatibility.md: rule, what Envoy does, whether the SDK does the same, sample and tolerance. */
export function policyRows(): readonly (readonly string[])[] {
  const recorded = readRecorded();
  return CASES.map(({ name, area, rule, differs, steps, share }) => {
    const calls = steps.reduce((sum, step) => sum + ('waitMs' in step || 'see' in step ? 0 : (step.times ?? 1)), 0);
    const held = differs ? `different: ${differs}` : 'the same';
    return [
      area,
      rule,
      share ? `${share.is * 100} %` : (recorded[name]?.lines.join('; then ') ?? ''),
      ENABLED.has(name) ? held : 'not yet',
      `${calls}, ${share ? 'within chance of 1 in a million' : 'exact'}`,
    ];
  });
}

export const POLICY_HEAD = ['area', 'rule', 'Envoy 1.40', 'the SDK', 'calls, tolerance'] as const;
