import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { Scope } from './scope.ts';

/**
 * The SDK's column of the capability table: full field name → what becomes of it. A field without a row that is set, and a
 * field the generated code does not know, is warned about: nothing a control plane sends is dropped without a word.
 */
export type FieldRow = 'supported' | { readonly ignored: string } | { readonly rejected: string };
export type FieldRows = Readonly<Record<string, FieldRow>>;

interface Column {
  readonly field: DescField;
  readonly localName: string;
  readonly oneof: string | undefined;
  readonly row: FieldRow | undefined;
  /** Set fields of it are looked at in turn. */
  readonly isMessage: boolean;
}

const columnsOf = new WeakMap<FieldRows, Map<string, readonly Column[]>>();

function columns(schema: DescMessage, rows: FieldRows): readonly Column[] {
  const known = columnsOf.get(rows) ?? new Map<string, readonly Column[]>();
  columnsOf.set(rows, known);
  const list = known.get(schema.typeName) ?? schema.fields.map((field) => column(schema, field, rows));
  known.set(schema.typeName, list);
  return list;
}

function column(schema: DescMessage, field: DescField, rows: FieldRows): Column {
  return {
    field,
    localName: field.localName,
    oneof: field.oneof?.localName,
    row: rows[`${schema.typeName}.${field.name}`],
    isMessage: isWalked(field),
  };
}

/** Well-known types are values, not places with fields of their own. */
function isWalked(field: DescField): boolean {
  if (field.fieldKind !== 'message' && !(field.fieldKind === 'list' && field.listKind === 'message')) return false;
  return field.message !== undefined && !field.message.typeName.startsWith('google.protobuf.');
}

/** Reports what is set and not supported, all the way down. */
export function checkFields(schema: DescMessage, message: Message, rows: FieldRows, at: Scope): void {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  for (const column of columns(schema, rows)) {
    const value = valueIn(values, column);
    if (value === undefined) continue;
    if (column.row === 'supported') {
      if (column.isMessage) checkInside(column.field, value, rows, at);
    } else if (column.row !== undefined && 'rejected' in column.row) {
      at.at(column.field.name).error(`set, but not supported: ${column.row.rejected}`);
    } else at.at(column.field.name).warn(`ignored: ${column.row?.ignored ?? 'this client does not read it'}`);
  }
  for (const { no } of message.$unknown ?? []) {
    if (isGuard(schema)) at.error(`field ${no} is set, which this client does not know: it may ask for a check`);
    else at.warn(`ignored: field ${no}, which this client does not know`);
  }
}

/** Messages that say whom to trust: what is not understood there is refused, never dropped. */
const isGuard = ({ typeName }: DescMessage): boolean => typeName.startsWith('envoy.extensions.transport_sockets.');

/** undefined where the field holds its default, which proto3 cannot tell from "not set". */
function valueIn(values: Readonly<Record<string, unknown>>, { localName, oneof }: Column): unknown {
  if (oneof !== undefined) {
    const chosen = values[oneof] as { readonly case?: string; readonly value?: unknown };
    return chosen.case === localName ? chosen.value : undefined;
  }
  const value = values[localName];
  if (value === undefined || value === 0 || value === '' || value === false || value === 0n) return undefined;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0 ? undefined : value;
  // Maps are plain objects; an empty one is not set.
  return isPlainObject(value) && Object.keys(value).length === 0 ? undefined : value;
}

const isPlainObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !('$typeName' in value) && !Array.isArray(value);

function checkInside(field: DescField, value: unknown, rows: FieldRows, at: Scope): void {
  const { message } = field;
  if (message === undefined) return;
  const inside = at.at(field.name);
  if (field.fieldKind === 'list') {
    for (const [index, item] of (value as Message[]).entries()) checkFields(message, item, rows, inside.at(index));
  } else checkFields(message, value as Message, rows, inside);
}
