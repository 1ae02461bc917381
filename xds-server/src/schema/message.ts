import type { Place, Plain } from './place.ts';
import { nearest } from './suggest.ts';
import { type AnyField, anything, type FieldState, mismatch, type Type } from './type.ts';

/** A row of a kind's table. */
export interface Field<T> extends AnyField {
  readonly type: Type<T>;
}

/** One row for every field of T, none forgotten: the compiler holds table and type together. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

export interface MessageOptions<T> {
  /** Other spellings: read as `as`; `warning` is said where one is written. */
  readonly aliases?: Readonly<Record<string, { readonly as: keyof T & string; readonly warning?: string }>>;
  /** Accepted without being part of T. */
  readonly others?: Readonly<Record<string, FieldState>>;
  /** What to make of a field nobody knows: Istio's and small Kubernetes kinds refuse it, a Pod is too large to list. */
  readonly unknown?: 'error' | 'ignore';
  /** Rules between fields; called only when every field is sound. */
  readonly check?: (value: T, place: Place) => void;
}

export const supported = <T>(type: Type<T>): Field<T> => ({ type, state: { kind: 'supported' }, required: false });

export const required = <T>(type: Type<T>): Field<T> => ({ ...supported(type), required: true });

export const later = <T>(type: Type<T>, saidBy: 'schema' | 'translation' = 'schema'): Field<T> => ({
  ...supported(type),
  state: { kind: 'later', saidBy },
});

/** Not yet enforced, as translation's checks say (translate/check). */
export const translatedOnly = <T>(type: Type<T>): Field<T> => later(type, 'translation');

export const ignored = <T>(type: Type<T>, because: string, quietly?: string): Field<T> => ({
  ...supported(type),
  state: { kind: 'ignored', because, ...(quietly !== undefined && { quietly }) },
});

const UNUSED: FieldState = { kind: 'unused' };

/** Many names of one state, for `others`. */
export const ignoredAll = (because: string, ...names: readonly string[]): Readonly<Record<string, FieldState>> =>
  Object.fromEntries(names.map((name) => [name, { kind: 'ignored', because }]));

/** Many names that are not worth a word. */
export const unused = (...names: readonly string[]): Readonly<Record<string, FieldState>> =>
  Object.fromEntries(names.map((name) => [name, UNUSED]));

export const message = <T extends object>(fields: Fields<T>, options: MessageOptions<T> = {}): Type<T> => {
  const rows = new Map<string, Field<unknown>>(Object.entries<Field<unknown>>(fields));
  const others = new Map(Object.entries(options.others ?? {}));
  const aliases = new Map(Object.entries(options.aliases ?? {}));
  for (const [name, state] of others) rows.set(name, { type: anything, state, required: false });
  const lenient = options.unknown === 'ignore';
  return {
    wants: 'a mapping',
    fields: rows,
    read(value, place) {
      if (!(value instanceof Map)) return place.error(mismatch(value, 'a mapping'));
      const before = place.errors;
      const given = new Map<string, Plain>();
      for (const [name, item] of value) {
        const alias = aliases.get(name);
        if (alias?.warning) place.at(name).warn(alias.warning);
        if (item !== null) given.set(alias?.as ?? name, item);
        if (!lenient && alias === undefined && !rows.has(name)) {
          place.at(name).error(place.isFull ? 'unknown field' : unknownField(name, rows.keys()));
        }
      }
      const entries: [string, unknown][] = [];
      for (const [name, field] of rows) {
        const item = readField(field, given.get(name), place, spelling(name, value, aliases));
        if (item !== undefined && !others.has(name)) entries.push([name, item]);
      }
      if (place.errors > before) return undefined;
      // The table has one row per field of T and each row has read a value of its type.
      const result = Object.fromEntries(entries) as T;
      options.check?.(result, place);
      return place.errors > before ? undefined : result;
    },
  };
};

/** The name a field was really written under, for positions. */
const spelling = (
  name: string,
  value: ReadonlyMap<string, Plain>,
  aliases: ReadonlyMap<string, { readonly as: string }>,
): string =>
  value.has(name) ? name : ([...aliases].find(([alias, to]) => to.as === name && value.has(alias))?.[0] ?? name);

const readField = (field: Field<unknown>, value: Plain | undefined, place: Place, name: string): unknown => {
  if (value === undefined) {
    if (field.required) place.error(`${name} is missing, want ${field.type.wants}`);
    return field.type.absent?.();
  }
  const at = place.at(name);
  const { state } = field;
  if (state.kind === 'later' && state.saidBy === 'schema') at.warn('not yet enforced');
  if (state.kind === 'ignored' && value !== state.quietly) at.warn(`ignored: ${state.because}`);
  return field.type.read(value, at);
};

const unknownField = (name: string, known: Iterable<string>): string => {
  const names = [...known];
  const meant = nearest(name, names);
  if (meant !== undefined) return `unknown field, did you mean ${meant}?`;
  return `unknown field, want one of ${names.length > 24 ? `${names.slice(0, 24).join(', ')} …` : names.join(', ')}`;
};

/** A repeated field: empty where nothing is written. */
export const list = <T>(item: Type<T>, most = Number.POSITIVE_INFINITY): Type<readonly T[]> => ({
  wants: `a list (of ${item.wants})`,
  ...(item.fields && { fields: item.fields }),
  absent: () => [],
  read(value, place) {
    if (!Array.isArray(value)) return place.error(mismatch(value, this.wants));
    if (value.length > most) return place.error(`has ${value.length} entries, want at most ${most}`);
    const before = place.errors;
    const items: T[] = [];
    for (const [index, entry] of value.entries()) {
      const read = item.read(entry, place.at(index));
      if (read !== undefined) items.push(read);
    }
    return place.errors > before ? undefined : items;
  },
});

/** A map field: empty where nothing is written. `wrongKey` says what is wrong with a key. */
export const mapOf = <T>(
  item: Type<T>,
  wrongKey?: (key: string) => string | undefined,
): Type<ReadonlyMap<string, T>> => ({
  wants: 'a mapping',
  ...(item.fields && { fields: item.fields }),
  absent: () => new Map(),
  read(value, place) {
    if (!(value instanceof Map)) return place.error(mismatch(value, `a mapping of names to ${item.wants}`));
    const before = place.errors;
    const entries = new Map<string, T>();
    for (const [key, entry] of value) {
      const wrong = wrongKey?.(key);
      if (wrong !== undefined) place.at(key).error(wrong);
      const read = entry === null ? place.at(key).error(mismatch(null, item.wants)) : item.read(entry, place.at(key));
      if (read !== undefined) entries.set(key, read);
    }
    return place.errors > before ? undefined : entries;
  },
});

/** Exactly (or at most) one of some fields is there; for `check`. */
export const oneOf = <T extends object>(value: T, names: readonly (keyof T & string)[], place: Place): void => {
  const set = names.filter((name) => {
    const item = value[name];
    return item !== undefined && !(Array.isArray(item) && item.length === 0);
  });
  if (set.length > 1)
    place.at(set[1] ?? '').error(`only one of ${names.join(', ')} is allowed, ${set.join(' and ')} are set`);
};
