/** Envoy's substitution format strings, as far as they have a meaning without a proxy. */

import { asciiLower } from '../match/ascii.ts';
import { headerValues, requestHeaderValues } from '../match/headers.ts';
import { metadataValue } from '../match/metadata.ts';
import { pathEnd, queryParameter } from '../match/query.ts';
import type { WeightedCluster } from '../model/action.ts';
import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import type { RouteDecision } from './table.ts';
import { CATCH_ALL, virtualClusterOf } from './virtual-cluster.ts';

export interface FormatContext {
  readonly request: MeshRequest;
  /** The request's headers as mutated so far. */
  readonly headers?: HeaderList;
  /** Set when response headers are formatted. */
  readonly responseHeaders?: HeaderList;
  /** Wall clock at the start of the call, ms since the epoch. */
  readonly startTimeMs?: number;
  /** The route, and the cluster where there is one. */
  readonly way?: { readonly decision: RouteDecision; readonly cluster: WeightedCluster | undefined };
  /** What stands for an absent value; nothing, unless said. */
  readonly absent?: string;
  /** The request as it came, where `request` is what it became. */
  readonly asked?: MeshRequest;
  /** Of the upstream's answer. */
  readonly status?: number;
  /** Attempts made, the one under way included. */
  readonly attempt?: number;
  /** What a direct response says without its format. */
  readonly localReplyBody?: string;
}

/** A command; undefined means that it has no meaning here, so its text stays as written. */
type Command = (context: FormatContext) => string | undefined;
type Part = string | { readonly written: string; readonly command: Command };
/** Stands for an absent value until it is known what becomes of it. */
const ABSENT = '\0';

const formats = new Map<string, readonly Part[]>();
const MOST_FORMATS = 1_000;

/** Formats `value`; without a percent sign it is returned as it is. */
export function formatValue(value: string, context: FormatContext): string {
  if (!value.includes('%')) return value;
  return partsOf(value)
    .map((part) => (typeof part === 'string' ? part : (part.command(context) ?? part.written)))
    .join('');
}

function partsOf(value: string): readonly Part[] {
  let parts = formats.get(value);
  if (parts === undefined) {
    parts = parse(value);
    if (formats.size >= MOST_FORMATS) formats.clear();
    formats.set(value, parts);
  }
  return parts;
}

/** As a JSON format has it: of a command alone the value with its type, null where it is absent (Envoy JsonFormatter). */
export function formatJsonValue(value: string, context: FormatContext): unknown {
  const parts = partsOf(value).filter((part) => part !== '');
  const [only] = parts;
  if (parts.length !== 1 || only === undefined || typeof only === 'string') return formatValue(value, context);
  const text = only.command({ ...context, absent: ABSENT }) ?? only.written;
  if (text === ABSENT) return null;
  return /^%(RESPONSE_CODE|UPSTREAM_REQUEST_ATTEMPT_COUNT)%$/.test(only.written) ? Number(text) : text;
}

/** `%NAME%`, `%NAME(arguments)%`, `%NAME(arguments):LENGTH%`. */
const COMMAND = /%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?%/y;

function parse(value: string): readonly Part[] {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < value.length; ) {
    if (value.startsWith('%%', at)) {
      literal += '%';
      at += 2;
      continue;
    }
    COMMAND.lastIndex = at;
    const match = value[at] === '%' ? COMMAND.exec(value) : null;
    if (match === null) {
      literal += value[at++];
      continue;
    }
    const [written, name = '', argument, length] = match;
    parts.push(literal, { written, command: commandOf(name, argument, length) });
    literal = '';
    at += written.length;
  }
  return [...parts, literal];
}

const LOOPBACK = '127.0.0.1';

const meaningless: Command = () => undefined;

function commandOf(name: string, argument: string | undefined, length: string | undefined): Command {
  const limit = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  switch (name) {
    case 'PROTOCOL':
      return argument === undefined ? () => 'HTTP/1.1' : meaningless;
    case 'REQ':
    case 'REQUEST_HEADER':
      return argument === undefined ? meaningless : headerCommand(argument, limit, requestHeader);
    case 'RESP':
    case 'RESPONSE_HEADER':
      return argument === undefined ? meaningless : headerCommand(argument, limit, responseHeader);
    case 'QUERY_PARAM':
      return argument === undefined
        ? meaningless
        : shown(limit, ({ request }) => decoded(queryParameter(request.path, argument)));
    case 'PATH':
      return pathCommand(argument ?? '', limit);
    case 'DYNAMIC_METADATA':
      return argument === undefined ? meaningless : metadataCommand(argument.split(':'), limit);
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT':
      // The caller is this process.
      return () => LOOPBACK;
    case 'ROUTE_NAME':
      return shown(limit, ({ way }) => way?.decision.routeName || undefined);
    case 'UPSTREAM_CLUSTER':
    case 'UPSTREAM_CLUSTER_RAW':
      return shown(limit, ({ way }) => way?.cluster?.name);
    case 'VIRTUAL_CLUSTER_NAME':
      return shown(limit, virtualCluster);
    case 'START_TIME':
      return argument === undefined || argument === '' ? startTime : formattedTime(argument, limit);
    case 'QUERY_PARAMS':
      return argument === undefined ? shown(limit, queryOf) : meaningless;
    case 'RESPONSE_CODE':
      return shown(limit, ({ status = 0 }) => String(status));
    case 'UPSTREAM_REQUEST_ATTEMPT_COUNT':
      return shown(limit, ({ way, attempt = way?.cluster === undefined ? 0 : 1 }) => String(attempt));
    case 'UPSTREAM_PROTOCOL':
      return shown(limit, ({ status }) => (status === undefined ? undefined : 'HTTP/1.1'));
    case 'LOCAL_REPLY_BODY':
      return shown(limit, ({ localReplyBody = '' }) => localReplyBody);
    default:
      return meaningless;
  }
}

/** A value that may be absent, cut to a length. */
const shown =
  (limit: number, read: (context: FormatContext) => string | undefined): Command =>
  (context) => {
    const value = read(context);
    return value === undefined ? (context.absent ?? '') : value.slice(0, limit);
  };

/** Envoy PercentEncoding::decode: byte by byte; what is no escape stays. */
const decoded = (text: string | undefined): string | undefined =>
  text?.replace(/%[0-9A-Fa-f]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));

/** Set by the router, so only for what is forwarded; the one for all the rest has no name here. */
function virtualCluster({ way, request, asked = request }: FormatContext): string | undefined {
  const name = way?.cluster && virtualClusterOf(way.decision, asked);
  return name === CATCH_ALL ? undefined : name;
}

/** `%PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%`: the path with or without its query; there is no original path beside it. */
function pathCommand(argument: string, limit: number): Command {
  const [query = '', which = ''] = argument.split(':');
  if (which === 'ORIG') return shown(limit, () => undefined);
  return shown(limit, ({ request: { path } }) => (query === 'NQ' ? path.slice(0, pathEnd(path)) : path));
}

/** `%DYNAMIC_METADATA(namespace:key:key)%`: text as it is, anything else as JSON. */
const metadataCommand = ([namespace = '', ...keys]: readonly string[], limit: number): Command =>
  shown(limit, ({ request: { metadata } }) => {
    const value = metadataValue(metadata, namespace, keys);
    return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
  });

const startTime: Command = ({ startTimeMs }) =>
  startTimeMs === undefined ? undefined : new Date(startTimeMs).toISOString();

function queryOf({ request: { path } }: FormatContext): string | undefined {
  const at = path.indexOf('?');
  return at < 0 ? undefined : path.slice(at + 1);
}

const padded = (value: number, size = 2): string => String(value).padStart(size, '0');

/** strftime's, in UTC. */
const TIMES: Readonly<Record<string, (at: Date) => string>> = {
  Y: (at) => padded(at.getUTCFullYear(), 4),
  m: (at) => padded(at.getUTCMonth() + 1),
  d: (at) => padded(at.getUTCDate()),
  H: (at) => padded(at.getUTCHours()),
  M: (at) => padded(at.getUTCMinutes()),
  S: (at) => padded(at.getUTCSeconds()),
  s: (at) => String(Math.floor(at.getTime() / 1000)),
  f: (at) => padded(at.getUTCMilliseconds(), 3).padEnd(9, '0'),
  F: (at) => at.toISOString().slice(0, 10),
  T: (at) => at.toISOString().slice(11, 19),
  Z: () => 'UTC',
  z: () => '+0000',
};

/** `%START_TIME(%Y-%m-%dT%H:%M:%S.%3f)%`; a digit before `f` cuts the fraction of the second. */
const formattedTime = (format: string, limit: number): Command =>
  shown(limit, ({ startTimeMs }) => {
    if (startTimeMs === undefined) return undefined;
    const at = new Date(startTimeMs);
    return format.replace(/%([1-9])?([A-Za-z])/g, (written, digits: string | undefined, letter: string) => {
      const text = Object.hasOwn(TIMES, letter) ? TIMES[letter]?.(at) : undefined;
      return text?.slice(0, letter === 'f' && digits !== undefined ? Number(digits) : undefined) ?? written;
    });
  });

type ReadHeader = (context: FormatContext, name: string) => string | undefined;

/** Of a repeated header the first value counts (Envoy HeaderFormatter). */
const requestHeader: ReadHeader = ({ request, headers }, name) =>
  requestHeaderValues(headers === undefined ? request : { ...request, headers }, name)[0];

const responseHeader: ReadHeader = ({ responseHeaders }, name) =>
  responseHeaders && headerValues(responseHeaders, name)[0];

/** `NAME?ALTERNATIVE`: the alternative where the first is absent; nothing where both are. */
function headerCommand(argument: string, limit: number, read: ReadHeader): Command {
  const [first = '', alternative] = asciiLower(argument).split('?');
  return shown(
    limit,
    (context) => read(context, first) ?? (alternative === undefined ? undefined : read(context, alternative)),
  );
}
