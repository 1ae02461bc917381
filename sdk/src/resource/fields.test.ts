import { describe, expect, it } from 'vitest';
import { registry } from '../../gen/registry.js';
import { FIELDS } from './field-table.ts';

const messages = new Map(
  [...registry].flatMap((type) => (type.kind === 'message' ? [[type.typeName, type] as const] : [])),
);
const messageOf = (field: string): string => field.slice(0, field.lastIndexOf('.'));
const covered = new Set(Object.keys(FIELDS).map(messageOf));

describe('the capability table', () => {
  it('names fields that exist', () => {
    const wrong = Object.keys(FIELDS).filter((name) => {
      const message = messages.get(messageOf(name));
      return !message?.fields.some((field) => `${messageOf(name)}.${field.name}` === name);
    });
    expect(wrong).toEqual([]);
  });

  it.each([...covered])('says of every field of %s what becomes of it', (typeName) => {
    const fields = messages.get(typeName)?.fields ?? [];
    expect(fields.filter(({ name }) => !(`${typeName}.${name}` in FIELDS)).map(({ name }) => name)).toEqual([]);
  });

  it('reaches into every message behind a supported field', () => {
    const unreached = Object.entries(FIELDS).flatMap(([name, row]) => {
      const field = messages.get(messageOf(name))?.fields.find((one) => `${messageOf(name)}.${one.name}` === name);
      const inner = row === 'supported' ? field?.message : undefined;
      const needsRows = inner && inner.fields.length > 0 && !inner.typeName.startsWith('google.protobuf.');
      return needsRows && !covered.has(inner.typeName) ? [`${name} → ${inner.typeName}`] : [];
    });
    // What a decoder refuses or takes as a mere presence needs no rows.
    expect(unreached).toEqual([]);
  });
});
