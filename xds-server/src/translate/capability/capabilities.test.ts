import { FIELDS } from '@inmesh/sdk/internal/resource/field-table';
import { describe, expect, it } from 'vitest';
import { capabilityOf, MESSAGES } from './capabilities.ts';
import { COLUMNS, namedFields } from './message-table.ts';

const messageOf = (field: string): string => field.slice(0, field.lastIndexOf('.'));
const columns = Object.keys(FIELDS);

describe('the capability table of other clients', () => {
  it('says of every field that the SDK’s column has what becomes of it at each kind of client', () => {
    const missing = columns.filter((field) => {
      const cells = capabilityOf(field);
      return cells === undefined || COLUMNS.some((column) => cells[column] === undefined);
    });
    expect(missing).toEqual([]);
  });

  it('names no field and no message that the SDK’s column has not', () => {
    const known = new Set(columns);
    const messages = new Set(columns.map(messageOf));
    const wrong = Object.entries(MESSAGES).flatMap(([message, entry]) => {
      const fields = namedFields(entry).map((name) => `${message}.${name}`);
      const isEmpty = fields.length === 0 && entry.rest === undefined;
      return [...(messages.has(message) || isEmpty ? [] : [message]), ...fields.filter((field) => !known.has(field))];
    });
    expect(wrong).toEqual([]);
  });

  it('says one thing of a field', () => {
    const twice = Object.entries(MESSAGES).flatMap(([message, { envoy: _, ...entry }]) => {
      const fields = namedFields(entry);
      return fields.filter((name, index) => fields.indexOf(name) !== index).map((name) => `${message}.${name}`);
    });
    expect(twice).toEqual([]);
  });
});
