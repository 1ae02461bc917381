/** Envoy's substitution format strings, as far as they have a meaning without a proxy. */

import { asciiLower } from '../match/ascii.ts';
import { headerValues, requestHeaderValues } from '../match/headers.ts';
import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';

export interface FormatContext {
  readonly request: MeshRequest;
  /** The request's headers as mutated so far. */
  readonly headers?: HeaderList;
  /** Set when response headers are formatted. */
  readonly responseHeaders?: HeaderList;
  /** Wall clock at the start of the call, ms since the epoch. */
  readonly startTimeMs?: number;
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

const meaningless: Command = () => undefined;

function commandOf(name: string, argument: string | undefined, length: string | undefined): Command {
  const limit = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  switch (name) {
    case 'PROTOCOL':
      return argument === undefined ? () => 'HTTP/1.1' : meaningless;
    case 'REQ':
      return argument === undefined ? meaningless : headerCommand(argument, limit, requestHeader);
    case 'RESP':
      return argument === undefined ? meaningless : headerCommand(argument, limit, responseHeader);
    case 'START_TIME':
      return argument === undefined || argument === '' ? startTime : meaningless;
    default:
      return meaningless;
  }
}

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
  return (context) => {
    const value = read(context, first) ?? (alternative === undefined ? undefined : read(context, alternative));
    return (value ?? '').slice(0, limit);
  };
}
