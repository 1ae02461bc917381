import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { FIELDS } from './field-table.ts';
import { checkFields, type FieldRows } from './fields.ts';
import type { Scope } from './scope.ts';

/** `type.googleapis.com/x.y.Z` → `x.y.Z`; any prefix will do (google.protobuf.Any). */
export const typeNameOf = (any: Any): string => any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);

/** Segments of a path: real resources have a third of it. protobuf-es counts depth too, but begins anew in every Any. */
const DEEPEST = 64;

/** The message inside, its fields checked; undefined and an error when its bytes are not one. */
export function unpack<D extends DescMessage>(
  any: Any,
  schema: D,
  at: Scope,
  rows: FieldRows = FIELDS,
): MessageShape<D> | undefined {
  if (at.depth > DEEPEST) {
    at.error(`nested too deep, ${DEEPEST} steps allowed`);
    return undefined;
  }
  const message = parse(schema, any.value, at);
  if (message !== undefined) checkFields(schema, message, rows, at);
  return message;
}

export function parse<D extends DescMessage>(schema: D, bytes: Uint8Array, at: Scope): MessageShape<D> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    at.error(`cannot be read as ${schema.typeName}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
