import { utf8Bytes } from '../match/utf8.ts';
import type { BodyFormat, RespondAction } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import { type FormatContext, formatJsonValue, formatValue } from './format.ts';
import type { RouteDecision } from './table.ts';

export interface LocalBody {
  readonly body: Uint8Array;
  readonly contentType?: string;
}

/** What a direct response says (Envoy DirectResponseAction.body and body_format). */
export function localBody(action: RespondAction, decision: RouteDecision, request: MeshRequest): LocalBody {
  const { body, format } = action;
  if (format === undefined) return { body };
  const context: FormatContext = {
    request,
    way: { decision, cluster: undefined },
    localReplyBody: textOf(body),
    responseHeaders: [],
    absent: format.omitEmpty ? '' : '-',
  };
  const { template, contentType = template.kind === 'json' ? 'application/json' : 'text/plain' } = format;
  const text =
    template.kind === 'text'
      ? formatValue(utf8Bytes(template.text), context)
      : `${JSON.stringify(filled(template.value, context, format))}\n`;
  return { body: Uint8Array.from(text, (character) => character.charCodeAt(0)), contentType };
}

/** One character a byte, like everything that formats work on. */
function textOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Members sorted by name, as Envoy writes them; without empty ones where they are to be left out. */
function filled(value: unknown, context: FormatContext, format: BodyFormat): unknown {
  if (typeof value === 'string') return formatJsonValue(utf8Bytes(value), context);
  if (Array.isArray(value)) return value.map((inner: unknown) => filled(inner, context, format));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]): [string, unknown] => [utf8Bytes(key), filled(inner, context, format)])
    .filter(([, inner]) => !format.omitEmpty || !isEmpty(inner));
  return Object.fromEntries(members);
}

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0);
