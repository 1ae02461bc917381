import { type DescField, type DescMessage, fromJson, type JsonValue, type Registry } from '@bufbuild/protobuf';

/** Where a JSON value is not what a protobuf message has there, and what would be; undefined where it fits. */
export function jsonFault(schema: DescMessage, value: unknown, registry: Registry, path = ''): string | undefined {
  const said = complaint(schema, value, registry);
  if (said === undefined) return undefined;
  if (!isRecord(value) || isWellKnown(schema)) return located(path, messageOf(schema, said, value));
  for (const [key, inner] of Object.entries(value)) {
    const fault = faultOfKey({ schema, registry }, key, inner, path === '' ? key : `${path}.${key}`);
    if (fault !== undefined) return fault;
  }
  return located(path, said);
}

interface Known {
  readonly schema: DescMessage;
  readonly registry: Registry;
}

function faultOfKey({ schema, registry }: Known, key: string, inner: unknown, path: string): string | undefined {
  const field = schema.fields.find(({ name, jsonName }) => key === name || key === jsonName);
  if (field === undefined) {
    const allowed = schema.fields.map(({ name }) => name).join(', ');
    return located(path, `unknown, one of ${allowed} allowed`);
  }
  for (const [part, at] of messagesOf(field, inner, path)) {
    const fault = messageFault(field, part, registry, at);
    if (fault !== undefined) return fault;
  }
  const alone = complaint(schema, { [key]: inner }, registry);
  return alone === undefined ? undefined : located(path, enumFault(field, alone, inner));
}

/** The messages a field holds, each with its place: itself, its elements or its entries. */
function messagesOf(field: DescField, value: unknown, path: string): readonly (readonly [unknown, string])[] {
  if (field.fieldKind === 'message') return [[value, path]];
  if (field.fieldKind === 'list' && Array.isArray(value))
    return value.map((part: unknown, index) => [part, `${path}[${index}]`] as const);
  if (field.fieldKind === 'map' && isRecord(value))
    return Object.entries(value).map(([key, part]) => [part, `${path}.${key}`] as const);
  return [];
}

function messageFault(field: DescField, value: unknown, registry: Registry, path: string): string | undefined {
  if (field.message === undefined) return undefined;
  const { typeName } = field.message;
  if (typeName !== 'google.protobuf.Any' || !isRecord(value)) return jsonFault(field.message, value, registry, path);
  const { '@type': url, ...fields } = value;
  const schema = typeof url === 'string' ? registry.getMessage(url.slice(url.lastIndexOf('/') + 1)) : undefined;
  if (schema === undefined) return located(path, `@type: got ${shown(url)}, the URL of a type known here is expected`);
  return jsonFault(schema, fields, registry, path);
}

function complaint(schema: DescMessage, value: unknown, registry: Registry): string | undefined {
  try {
    // Whatever it is, fromJson says what is wrong with it.
    fromJson(schema, value as JsonValue, { registry });
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^cannot decode .*? from JSON: /, '');
  }
}

const messageOf = (schema: DescMessage, said: string, value: unknown): string =>
  schema.typeName === 'google.protobuf.Duration' ? `got ${shown(value)}, a duration such as "1.5s" is expected` : said;

function enumFault(field: DescField, said: string, value: unknown): string {
  if (field.enum === undefined) return said;
  return `got ${shown(value)}, one of ${field.enum.values.map(({ name }) => name).join(', ')} allowed`;
}

const isWellKnown = ({ typeName }: DescMessage): boolean => typeName.startsWith('google.protobuf.');

const shown = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

const located = (path: string, what: string): string => (path === '' ? what : `${path}: ${what}`);

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
