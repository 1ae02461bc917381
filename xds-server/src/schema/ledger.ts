import { KINDS } from './kinds.ts';
import { formatPath, type Segment } from './place.ts';
import type { AnyField, FieldState } from './type.ts';

/** One row of the field ledger: what happens to a field that somebody writes. */
export interface LedgerRow {
  readonly kind: string;
  /** `spec.http.route.weight`; list and map levels are left out. */
  readonly path: string;
  readonly wants: string;
  readonly required: boolean;
  readonly state: FieldState;
}

/** Every field of every served kind, in the order of the tables. A field below one that is not enforced is not either. */
export const fieldLedger = (): readonly LedgerRow[] =>
  Object.entries(KINDS).flatMap(([kind, { spec, layout }]) => [
    ...rows(kind, layout === 'spec' ? ['spec'] : [], spec.fields, { kind: 'supported' }),
  ]);

function* rows(
  kind: string,
  path: readonly Segment[],
  fields: ReadonlyMap<string, AnyField> | undefined,
  above: FieldState,
): Generator<LedgerRow> {
  for (const [name, { type, required, state: own }] of fields ?? []) {
    const at = [...path, name];
    const state = above.kind === 'supported' ? own : above;
    yield { kind, path: formatPath(at), wants: type.wants, required, state };
    yield* rows(kind, at, type.fields, state);
  }
}
