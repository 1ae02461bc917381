import type { MetadataMatch, ValueMatch } from '../model/match.ts';
import { compileString, describeString, type RegexSource } from './string.ts';

/** Dynamic metadata: namespace → JSON value. */
export type Metadata = ReadonlyMap<string, unknown>;

type ValueTest = (value: unknown) => boolean;

/** Envoy MetadataMatcher; a value that is not there fits nothing, so it is what an inverted match wants. */
export function compileMetadata(
  match: MetadataMatch,
  regexes: RegexSource,
): (metadata: Metadata | undefined) => boolean {
  const test = compileValue(match.value, regexes);
  return (metadata) => {
    const value = metadataValue(metadata, match.namespace, match.path);
    return (value !== undefined && test(value)) !== match.invert;
  };
}

/** The value at a path of keys (Envoy Config::Metadata::metadataValue); undefined where there is none. */
export function metadataValue(metadata: Metadata | undefined, namespace: string, path: readonly string[]): unknown {
  let value = metadata?.get(namespace);
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function compileValue(match: ValueMatch, regexes: RegexSource): ValueTest {
  switch (match.kind) {
    case 'null':
      return (value) => value === null;
    case 'number':
      return (value) => value === match.exact;
    case 'range':
      return (value) => typeof value === 'number' && value >= match.start && value < match.end;
    case 'string': {
      const test = compileString(match.match, regexes);
      return (value) => typeof value === 'string' && test(value);
    }
    case 'boolean':
      return (value) => value === match.value;
    case 'present':
      // `present_match: false` fits nothing, not even what is absent (asked of Envoy 1.40): absence is wanted by `invert`.
      return () => match.present;
    case 'one-of': {
      const test = compileValue(match.element, regexes);
      return (value) => Array.isArray(value) && value.some(test);
    }
    case 'or': {
      const tests = match.options.map((option) => compileValue(option, regexes));
      return (value) => tests.some((test) => test(value));
    }
  }
}

/** `metadata ns.user exact "jason"`, for a reader. */
export const describeMetadata = ({ namespace, path, value, invert }: MetadataMatch): string =>
  `metadata ${[namespace, ...path].join('.')} ${invert ? 'anything but ' : ''}${describeValue(value)}`;

function describeValue(match: ValueMatch): string {
  switch (match.kind) {
    case 'null':
      return 'null';
    case 'number':
      return String(match.exact);
    case 'range':
      return `a number from ${match.start} to below ${match.end}`;
    case 'string':
      return describeString(match.match);
    case 'boolean':
      return String(match.value);
    case 'present':
      return match.present ? 'any value' : 'nothing that exists';
    case 'one-of':
      return `a list with ${describeValue(match.element)}`;
    case 'or':
      return match.options.map(describeValue).join(' or ');
  }
}
