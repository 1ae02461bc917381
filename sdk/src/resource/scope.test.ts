import { describe, expect, it } from 'vitest';
import { createFindings, Scope } from './scope.ts';

describe('findings', () => {
  it('say where, in the words of the .proto', () => {
    const findings = createFindings();
    new Scope(findings).at('routes').at(3).at('match').error('missing, required');
    expect(findings).toEqual({ errors: ['routes[3].match: missing, required'], warnings: [] });
  });

  it('are counted no further than anybody reads', () => {
    const findings = createFindings();
    const scope = new Scope(findings);
    for (let index = 0; index < 10_000; index++) {
      scope.at(index).error('wrong');
      scope.at(index).warn('odd');
    }
    for (const list of [findings.errors, findings.warnings]) {
      expect(list).toHaveLength(257);
      expect(list.at(-1)).toContain('the others are left out');
    }
  });
});
