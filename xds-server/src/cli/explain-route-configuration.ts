import { readFile } from 'node:fs/promises';
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { utf8Bytes } from '@inmesh/sdk/internal/match/utf8';
import type { HeaderList } from '@inmesh/sdk/internal/model/headers';
import type { MeshRequest } from '@inmesh/sdk/internal/model/request';
import { routeConfigurationType } from '@inmesh/sdk/internal/resource/route/route-configuration';
import { answerOf } from '@inmesh/sdk/internal/route/answer';
import { compileRouteTable } from '@inmesh/sdk/internal/route/compile';
import type { RouteTable } from '@inmesh/sdk/internal/route/table';
import { parse, YAMLParseError } from 'yaml';
import { UsageError } from './usage.ts';

export interface RouteQuestions {
  /** An Envoy RouteConfiguration, YAML or JSON. */
  readonly configuration: string;
  /** One request or an array of them, JSON. */
  readonly request: string;
  readonly json: boolean;
}

/** Prints what a RouteConfiguration makes of requests; the virtual host is chosen by the authority, as in Envoy. */
export async function explainRouteConfiguration({ configuration, request, json }: RouteQuestions): Promise<number> {
  const loaded = loadTable(await textOf(configuration, '--route-configuration'), configuration);
  if ('errors' in loaded) {
    for (const error of loaded.errors) process.stderr.write(`${configuration}: ${error}\n`);
    return 1;
  }
  for (const warning of loaded.warnings) process.stderr.write(`${configuration}: ${warning}\n`);
  const asked = parseJson(await textOf(request, '--request'), request);
  const answers = (Array.isArray(asked) ? asked : [asked]).map((value: unknown, index) =>
    answer(loaded.table, readRequest(value, Array.isArray(asked) ? `${request}: [${index}]` : request)),
  );
  const printed = Array.isArray(asked) ? answers : answers[0];
  process.stdout.write(json ? `${JSON.stringify(printed, null, 2)}\n` : answers.map(page).join('\n'));
  return 0;
}

async function textOf(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Loaded =
  | { readonly table: RouteTable; readonly warnings: readonly string[] }
  | { readonly errors: readonly string[] };

/** protojson as Envoy reads it, snake_case or camelCase. */
export function loadTable(text: string, file: string): Loaded {
  let bytes: Uint8Array;
  try {
    const value: unknown = parse(text);
    if (!isRecord(value)) return { errors: ['no RouteConfiguration: an object is expected'] };
    const { '@type': _, ...fields } = value;
    const message = fromJson(RouteConfigurationSchema, withDurations(fields), { registry });
    // Envoy wants a name only where it is fetched.
    message.name ||= file;
    bytes = toBinary(RouteConfigurationSchema, message);
  } catch (error) {
    if (error instanceof YAMLParseError) return { errors: [`line ${error.linePos?.[0].line ?? 1}: ${error.message}`] };
    return { errors: [error instanceof Error ? error.message : String(error)] };
  }
  const decoded = routeConfigurationType.decode(bytes);
  return 'ok' in decoded ? { table: compileRouteTable(decoded.ok), warnings: decoded.warnings } : decoded;
}

/** A duration may also be written `{seconds, nanos}`, as Envoy's own examples do. */
function withDurations(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(withDurations);
  if (!isRecord(value)) return value as JsonValue;
  const keys = Object.keys(value);
  const { seconds = 0, nanos = 0 } = value;
  const isDuration = keys.length > 0 && keys.every((key) => key === 'seconds' || key === 'nanos');
  if (isDuration && typeof seconds === 'number' && typeof nanos === 'number')
    return `${seconds}.${String(nanos).padStart(9, '0')}s`;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withDurations(inner)]));
}

interface Question {
  readonly request: MeshRequest;
  readonly draw: number;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const KEYS = ['method', 'scheme', 'authority', 'path', 'headers', 'random', 'runtime', 'metadata'];

/** Exported for the comparison with live Envoy. */
export function readRequest(value: unknown, where: string): Question {
  const wrong = (what: string): never => {
    throw new UsageError(`${where}: ${what}`);
  };
  if (!isRecord(value)) return wrong('an object is expected');
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return wrong(`${unknown}: unknown, one of ${KEYS.join(', ')} allowed`);
  const text = (key: string, otherwise: string): string => {
    const given = value[key] ?? otherwise;
    return typeof given === 'string' ? given : wrong(`${key}: a string is expected`);
  };
  const record = (key: string): Readonly<Record<string, unknown>> => {
    const given = value[key] ?? {};
    return isRecord(given) ? given : wrong(`${key}: an object is expected`);
  };
  const { random = 0 } = value;
  if (typeof random !== 'number' || !Number.isInteger(random) || random < 0)
    return wrong('random: an integer from 0 is expected');
  const scheme = text('scheme', 'http').toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return wrong(`scheme: got "${scheme}", want http or https`);
  const runtime = new Map<string, boolean | number>();
  for (const [key, set] of Object.entries(record('runtime'))) {
    if (typeof set !== 'boolean' && typeof set !== 'number') return wrong(`runtime.${key}: true, false or a number`);
    runtime.set(key, set);
  }
  return {
    draw: random,
    request: {
      method: text('method', 'GET'),
      scheme,
      authority: utf8Bytes(text('authority', '')),
      path: utf8Bytes(text('path', '/')),
      headers: headerList(record('headers'), wrong),
      runtime,
      metadata: new Map(Object.entries(record('metadata'))),
    },
  };
}

function headerList(record: Readonly<Record<string, unknown>>, wrong: (what: string) => never): string[] {
  return Object.entries(record).flatMap(([name, given]) =>
    (Array.isArray(given) ? given : [given]).flatMap((value: unknown) =>
      typeof value === 'string'
        ? [name.toLowerCase(), utf8Bytes(value)]
        : wrong(`headers.${name}: a string or strings`),
    ),
  );
}

/** Every key is there: what has no value is null. */
function answer(table: RouteTable, { request, draw }: Question) {
  const found = answerOf(table, request, { draw });
  const { redirect, directResponse } = found;
  return {
    virtualHost: found.virtualHost ?? null,
    virtualCluster: found.virtualCluster ?? null,
    route: found.route ?? null,
    cluster: found.cluster === undefined ? null : fromBytes(found.cluster),
    pathRewrite: fromBytes(found.pathRewrite),
    hostRewrite: fromBytes(found.hostRewrite),
    ...(redirect && { redirect: { location: fromBytes(redirect.location), code: redirect.code } }),
    ...(directResponse && {
      directResponse: { code: directResponse.code, body: Buffer.from(directResponse.body).toString('utf8') },
    }),
    requestHeaders: headersOf(found.requestHeaders),
    responseHeaders: headersOf(found.responseHeaders),
    reason: found.reason,
  };
}

type Answer = ReturnType<typeof answer>;

/** A repeated header is a list. */
function headersOf(headers: HeaderList): Readonly<Record<string, string | readonly string[]>> {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    values.set(name, [...(values.get(name) ?? []), fromBytes(headers[i + 1] ?? '')]);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : list]));
}

/** Bytes, one character each, as the text they are; what is no UTF-8 stays as it is. */
function fromBytes(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}

function page(found: Answer): string {
  const lines = Object.entries(found).map(
    ([key, value]) => `${key.padEnd(16)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${lines.join('\n')}\n`;
}
