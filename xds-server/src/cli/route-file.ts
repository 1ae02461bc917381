import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { routeConfigurationType } from '@inmesh/sdk/internal/resource/route/route-configuration';
import { compileRouteTable } from '@inmesh/sdk/internal/route/compile';
import type { RouteTable } from '@inmesh/sdk/internal/route/table';
import { parseAllDocuments } from 'yaml';
import { isRecord, jsonFault } from './json-fault.ts';

type Loaded =
  | { readonly table: RouteTable; readonly warnings: readonly string[] }
  | { readonly errors: readonly string[] };

/**
 * A RouteConfiguration as Envoy's files have it: YAML or JSON, snake_case or camelCase, by itself or as the only one of
 * a DiscoveryResponse's `resources`, in a connection manager's `route_config` or an RDS dump's `Resource`.
 */
export function loadTable(text: string, file: string): Loaded {
  const read = readYaml(text);
  if ('errors' in read) return read;
  const found = unwrapped(read.value, '');
  if ('errors' in found) return found;
  const warnings: string[] = [];
  const fields = withoutUnknownFilters(normalised(found.fields), '', warnings);
  const fault = jsonFault(RouteConfigurationSchema, fields, registry);
  if (fault !== undefined) return { errors: [found.at === '' ? fault : `${found.at}.${fault}`] };
  const message = fromJson(RouteConfigurationSchema, fields, { registry });
  // Envoy wants a name only where it is fetched.
  message.name ||= file;
  const decoded = routeConfigurationType.decode(toBinary(RouteConfigurationSchema, message));
  if (!('ok' in decoded)) return decoded;
  return { table: compileRouteTable(decoded.ok), warnings: [...warnings, ...decoded.warnings] };
}

type Read<T> = T | { readonly errors: readonly string[] };

const refused = (what: string): { readonly errors: readonly string[] } => ({ errors: [what] });

/** Numbers that a double cannot hold become text, which protojson takes for any 64-bit number. */
function readYaml(text: string): Read<{ readonly value: unknown }> {
  const documents = parseAllDocuments(text, { intAsBigInt: true, merge: true });
  if (!Array.isArray(documents)) return refused('empty, one RouteConfiguration is expected');
  const [error] = documents.flatMap(({ errors }) => errors);
  if (error !== undefined) return refused(`line ${error.linePos?.[0].line ?? 1}: ${error.message}`);
  const values = documents.map((document) => document.toJS() as unknown).filter((value) => value !== null);
  if (values.length !== 1) return refused(`${values.length} documents, one RouteConfiguration is expected`);
  return { value: values[0] };
}

interface Found {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Where it stands in the file. */
  readonly at: string;
}

const WRAPPERS = ['route_config', 'routeConfig', 'resource'];

function unwrapped(value: unknown, at: string): Read<Found> {
  const place = at === '' ? '' : `${at}: `;
  if (!isRecord(value)) return refused(`${place}got ${kindOf(value)}, a RouteConfiguration (an object) is expected`);
  const { '@type': url, ...fields } = value;
  const inside = (key: string): string => (at === '' ? key : `${at}.${key}`);
  const { resources } = fields;
  if (Array.isArray(resources)) {
    if (resources.length !== 1)
      return refused(`${inside('resources')}: ${resources.length} of them, one RouteConfiguration is expected`);
    return unwrapped(resources[0], `${inside('resources')}[0]`);
  }
  const wrapper = WRAPPERS.find((key) => isRecord(fields[key]));
  if (wrapper !== undefined) return unwrapped(fields[wrapper], inside(wrapper));
  if (url === undefined || (typeof url === 'string' && url.endsWith(`/${RouteConfigurationSchema.typeName}`)))
    return { fields, at };
  return refused(
    `${inside('@type')}: got ${JSON.stringify(url)}, type.googleapis.com/${RouteConfigurationSchema.typeName} is expected`,
  );
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : value === null || value === undefined ? 'nothing' : typeof value;

/** A duration may also be written `{seconds, nanos}`, as Envoy's own examples do. */
function normalised(value: unknown): JsonValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(normalised);
  if (!isRecord(value)) return (value ?? null) as JsonValue;
  return durationOf(value) ?? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normalised(inner)]));
}

function durationOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const keys = Object.keys(value);
  if (keys.length === 0 || keys.some((key) => key !== 'seconds' && key !== 'nanos')) return undefined;
  const { seconds = 0, nanos = 0 } = value;
  const isWhole = (part: unknown): boolean => typeof part === 'bigint' || typeof part === 'number';
  return isWhole(seconds) && isWhole(nanos) ? `${seconds}.${String(nanos).padStart(9, '0')}s` : undefined;
}

const PER_FILTER = new Set(['typed_per_filter_config', 'typedPerFilterConfig']);

/** Filters that Envoy has and this client does not know change nothing of what is asked here: they are left out. */
function withoutUnknownFilters(value: JsonValue, path: string, warnings: string[]): JsonValue {
  if (Array.isArray(value))
    return value.map((inner, index) => withoutUnknownFilters(inner, `${path}[${index}]`, warnings));
  if (!isRecord(value)) return value;
  const entries = Object.entries(value as Readonly<Record<string, JsonValue>>).map(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    const filters = PER_FILTER.has(key) && isRecord(inner) ? knownFilters(inner, at, warnings) : inner;
    return [key, withoutUnknownFilters(filters as JsonValue, at, warnings)] as const;
  });
  return Object.fromEntries(entries);
}

function knownFilters(
  filters: Readonly<Record<string, unknown>>,
  path: string,
  warnings: string[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(filters).filter(([name, config]) => {
      const url = isRecord(config) ? config['@type'] : undefined;
      if (typeof url !== 'string' || registry.getMessage(url.slice(url.lastIndexOf('/') + 1))) return true;
      warnings.push(`${path}.${name}: ${url} is not known here, left out`);
      return false;
    }),
  );
}
