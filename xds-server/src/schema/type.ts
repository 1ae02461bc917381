import { formatDuration, parseDuration } from './duration.ts';
import { describeValue, type Place, type Plain } from './place.ts';

/** How a field's value is read. Types are data: tables are made of them, a small interpreter reads by them. */
export interface Type<T> {
  /** What is allowed, as it stands after "want" in a message. */
  readonly wants: string;
  /** The value, or undefined after an error was reported at `place`. */
  read(value: Plain, place: Place): T | undefined;
  /** What an absent field reads as; without it an absent field stays absent. */
  readonly absent?: () => T;
  /** Fields below, for the ledger. */
  readonly fields?: ReadonlyMap<string, AnyField>;
}

/**
 * What happens to a field that is written: `later` is understood and not yet enforced, and either this folder says so
 * where it is written, or translation does, which knows for which client; `ignored` is accepted and has no effect, said
 * too; `unused` has none either and is not worth a word (a Service's node ports).
 */
export type FieldState =
  | { readonly kind: 'supported' }
  | { readonly kind: 'later'; readonly saidBy: 'schema' | 'translation' }
  /** `quietly`: the value that says what happens anyway; it is written by tools, and not worth a word. */
  | { readonly kind: 'ignored'; readonly because: string; readonly quietly?: string }
  | { readonly kind: 'unused' };

export interface AnyField {
  readonly type: { readonly wants: string; readonly fields?: ReadonlyMap<string, AnyField> };
  readonly state: FieldState;
  readonly required: boolean;
}

export const mismatch = (value: Plain | undefined, wants: string): string =>
  `got ${describeValue(value)}, want ${wants}`;

/** A type that refuses by its `wants` alone. `accept` gives undefined for what is not allowed. */
export const simple = <T>(wants: string, accept: (value: Plain) => T | undefined): Type<T> => ({
  wants,
  read: (value, place) => accept(value) ?? place.error(mismatch(value, wants)),
});

const asText = (value: Plain): string | undefined => (typeof value === 'string' ? value : undefined);

/** Any string; YAML makes numbers and booleans of unquoted words, and the message says how to keep them strings. */
export const text = (wants = 'a string'): Type<string> => ({
  wants,
  read(value, place) {
    if (typeof value === 'string') return value;
    const scalar = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
    return place.error(mismatch(value, wants) + (scalar ? `: write "${value}"` : ''));
  },
});

/** A string that a check accepts; the check gives what is wrong, or undefined. */
export const textThat = (wants: string, wrong: (value: string) => string | boolean | undefined): Type<string> => ({
  wants,
  read(value, place) {
    const given = text(wants).read(value, place);
    if (given === undefined) return undefined;
    const reason = wrong(given);
    if (reason === undefined || reason === false) return given;
    return place.error(mismatch(value, wants) + (reason === true ? '' : ` (${reason})`));
  },
});

export const nonEmptyText: Type<string> = textThat('a string that is not empty', (value) => value === '');

export const truth: Type<boolean> = simple('true or false', (value) =>
  typeof value === 'boolean' ? value : undefined,
);

/** `truth` that reads false where nothing is written. */
export const flag: Type<boolean> = { ...truth, absent: () => false };

/** `0–100`; a largest number that is only what a machine can hold is not worth telling. */
const range = (min: number, max: number): string =>
  max < Number.MAX_SAFE_INTEGER ? `${min}–${max}` : `${min} or more`;

export const integer = (min: number, max: number): Type<number> =>
  simple(`an integer ${range(min, max)}`, (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  );

export const INT32_MAX = 2_147_483_647;
export const UINT32_MAX = 4_294_967_295;

/** Zero or more (Istio's int32 fields refuse negative numbers where they mean a count). */
export const count: Type<number> = integer(0, INT32_MAX);
export const uint32: Type<number> = integer(0, UINT32_MAX);
export const portNumber: Type<number> = integer(1, 65_535);

export const decimal = (min: number, max: number): Type<number> =>
  simple(`a number ${range(min, max)}`, (value) =>
    typeof value === 'number' && value >= min && value <= max ? value : undefined,
  );

/** A duration in ms. Istio: at least 1ms unless the field allows zero; what that would mean is in `hint`. */
export const duration = (atLeastMs = 1, hint = ''): Type<number> => {
  const least = atLeastMs > 0 ? ` of at least ${formatDuration(atLeastMs)}` : '';
  const wants = `a duration${least} like "500ms", "10s" or "1h30m"${hint}`;
  return {
    wants,
    read(value, place) {
      const parsed = typeof value === 'string' ? parseDuration(value) : undefined;
      if (typeof parsed === 'number' && parsed >= atLeastMs) return parsed;
      const finer = parsed === 'whole milliseconds' ? ' in whole milliseconds' : '';
      const unit = typeof value === 'number' ? `: write "${value}s" for seconds` : '';
      return place.error(mismatch(value, `${wants}${finer}${unit}`));
    },
  };
};

/** One of some words. */
export const word = <const W extends string>(...words: readonly W[]): Type<W> =>
  simple(words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`, (value) =>
    words.find((candidate) => candidate === value),
  );

/** `word` with the one that is meant when nothing is written. */
export const wordOr = <const W extends string>(fallback: W, ...others: readonly W[]): Type<W> => ({
  ...word(fallback, ...others),
  absent: () => fallback,
});

/** Kubernetes IntOrString that names a port. */
export const portOrName: Type<number | string> = {
  wants: 'a port number 1–65535 or the name of a container port',
  read(value, place) {
    if (typeof value === 'number') return portNumber.read(value, place);
    const name = asText(value);
    if (name !== undefined && /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(name)) return name;
    return place.error(mismatch(value, this.wants));
  },
};

/** Base64, standard or URL alphabet (protobuf JSON bytes). */
export const bytes: Type<Uint8Array> = {
  wants: 'base64 text',
  read(value, place) {
    const given = asText(value)?.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '');
    if (given === undefined || !/^[A-Za-z0-9+/]*$/.test(given) || given.length % 4 === 1) {
      return place.error(mismatch(value, 'base64 text'));
    }
    return Uint8Array.from(atob(given), (char) => char.charCodeAt(0));
  },
};

/** Anything at all: a field that is accepted and not looked into. */
export const anything: Type<undefined> = { wants: 'anything', read: () => undefined };
