import { describe, expect, it } from 'vitest';
import { registry } from '../../gen/registry.js';
import { FIELDS } from './field-table.ts';
import { INBOUND_FIELDS } from './listener/inbound.fields.ts';

const messages = new Map(
  [...registry].flatMap((type) => (type.kind === 'message' ? [[type.typeName, type] as const] : [])),
);
const messageOf = (field: string): string => field.slice(0, field.lastIndexOf('.'));

describe.each([
  ['of a client', FIELDS],
  ['of a server’s listeners', INBOUND_FIELDS],
])('the capability table %s', (_, rows) => {
  const covered = new Set(Object.keys(rows).map(messageOf));

  it('names fields that exist', () => {
    const wrong = Object.keys(rows).filter((name) => {
      const message = messages.get(messageOf(name));
      return !message?.fields.some((field) => `${messageOf(name)}.${field.name}` === name);
    });
    expect(wrong).toEqual([]);
  });

  it('says of every field what becomes of it', () => {
    for (const typeName of covered) {
      const fields = messages.get(typeName)?.fields ?? [];
      const missing = fields
        .filter(({ name }) => !(`${typeName}.${name}` in rows))
        .map(({ name }) => `${typeName}.${name}`);
      expect(missing).toEqual([]);
    }
  });

  it('reaches into every message behind a supported field', () => {
    const unreached = Object.entries(rows).flatMap(([name, row]) => {
      const field = messages.get(messageOf(name))?.fields.find((one) => `${messageOf(name)}.${one.name}` === name);
      const inner = row === 'supported' ? field?.message : undefined;
      const needsRows = inner && inner.fields.length > 0 && !inner.typeName.startsWith('google.protobuf.');
      return needsRows && !covered.has(inner.typeName) ? [`${name} → ${inner.typeName}`] : [];
    });
    // What a decoder refuses or takes as a mere presence needs no rows.
    expect(unreached).toEqual([]);
  });
});
