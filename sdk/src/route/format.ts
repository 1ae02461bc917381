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
}

/** A command; undefined means that it has no meaning here, so its text stays as written. */
type Command = (context: FormatContext) => string | undefined;
type Part = string | { readonly written: string; readonly command: Command };

export type Format = (context: FormatContext) => string;

const formats = new Map<string, readonly Part[]>();
const MOST_FORMATS = 1_000;

/** Formats `value`; without a percent sign it is returned as it is. */
export function formatValue(value: string, context: FormatContext): string {
  if (!value.includes('%')) return value;
  let parts = formats.get(value);
  if (parts === undefined) {
    parts = parse(value);
    if (formats.size >= MOST_FORMATS) formats.clear();
    formats.set(value, parts);
  }
  return parts.map((part) => (typeof part === 'string' ? part : (part.command(context) ?? part.written))).join('');
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
      return shown(limit, ({ way }) => way?.decision.routeName);
    case 'UPSTREAM_CLUSTER':
    case 'UPSTREAM_CLUSTER_RAW':
      return shown(limit, ({ way }) => way?.cluster?.name);
    case 'VIRTUAL_CLUSTER_NAME':
      return shown(limit, virtualCluster);
    case 'START_TIME':
      return argument === undefined || argument === '' ? startTime : meaningless;
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
