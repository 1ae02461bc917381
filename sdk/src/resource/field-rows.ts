import type { FieldRow, FieldRows } from './fields.ts';

/** The rows of one message: names as the .proto writes them, separated by spaces where nothing needs saying. */
export interface MessageRows {
  readonly supported?: string;
  /** Reason → the fields it holds for. Set, they are warned about. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Reason → the fields it holds for. Set, they refuse the resource. */
  readonly rejected?: Readonly<Record<string, string>>;
}

const names = (list: string): string[] => list.split(/\s+/).filter((name) => name !== '');

export function rowsOf(message: string, { supported = '', ignored = {}, rejected = {} }: MessageRows): FieldRows {
  const rows: Record<string, FieldRow> = {};
  for (const name of names(supported)) rows[`${message}.${name}`] = 'supported';
  for (const [why, list] of Object.entries(ignored))
    for (const name of names(list)) rows[`${message}.${name}`] = { ignored: why };
  for (const [why, list] of Object.entries(rejected))
    for (const name of names(list)) rows[`${message}.${name}`] = { rejected: why };
  return rows;
}
