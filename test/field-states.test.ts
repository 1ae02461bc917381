import { describe, expect, it } from 'vitest';
import { FIELDS } from '../sdk/src/resource/field-table.ts';
import { KINDS } from '../xds-server/src/schema/kinds.ts';
import { fieldLedger } from '../xds-server/src/schema/ledger.ts';
import { parseText } from '../xds-server/src/schema/parse.ts';

/** docs/supported-fields.md is printed from these two lists: what is in neither is unknown, and treated as such. */
describe('every field is in exactly one state', () => {
  it('of each kind that is served', () => {
    const states = ['supported', 'later', 'ignored', 'unused'];
    expect(fieldLedger().filter(({ state }) => !states.includes(state.kind))).toEqual([]);
    const kinds = new Set(fieldLedger().map(({ kind }) => kind));
    // Pods, Nodes and the like are read for their metadata: a kind without fields of its own is allowed to have no row.
    expect([...kinds].filter((kind) => !(kind in KINDS))).toEqual([]);
  });

  it('and no field twice', () => {
    const names = fieldLedger().map(({ kind, path }) => `${kind} ${path}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it('a reason stands beside whatever is not supported', () => {
    const reasons = Object.entries(FIELDS).map(([name, row]) => {
      if (row === 'supported') return [name, 'supported'] as const;
      return [name, 'ignored' in row ? row.ignored : row.rejected] as const;
    });
    expect(reasons.filter(([, reason]) => reason.trim() === '')).toEqual([]);
    expect(fieldLedger().filter(({ state }) => state.kind === 'ignored' && state.because === '')).toEqual([]);
  });

  it('a field of no table is an error at its line', () => {
    const text = 'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: a }\nspec:\n  nonsense: 1\n';
    expect(parseText(text, 'a.yaml').problems).toMatchObject([{ severity: 'error', line: 5 }]);
  });
});
