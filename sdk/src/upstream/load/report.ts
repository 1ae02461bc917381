import type { LoadReport } from '../../balancer/load-weight.ts';
import { type AnswerFields, fieldOf } from '../../connection/exchange.ts';
import { asAmount, readOrca } from './orca.ts';

/** gRFC A51, in trailers: the message itself. */
const BINARY = 'endpoint-load-metrics-bin';
/** Envoy Orca::parseOrcaLoadReportHeaders: a word for the format, then the report. */
const TEXT = 'endpoint-load-metrics';

/** What a server says of its load in the head or the trailers of an answer; undefined: nothing, or nothing that can be read. */
export function loadReportIn(headers: AnswerFields): LoadReport | undefined {
  const binary = fieldOf(headers, BINARY);
  if (typeof binary === 'string') return readOrca(Buffer.from(binary, 'base64'));
  const text = fieldOf(headers, TEXT);
  if (typeof text !== 'string') return undefined;
  const [, format, rest = ''] = /^(BIN|JSON|TEXT) (.*)$/.exec(text) ?? [];
  if (format === 'BIN') return readOrca(Buffer.from(rest, 'base64'));
  if (format === 'JSON') return fromJson(rest);
  return format === 'TEXT' ? fromPairs(pairsOf(rest)) : undefined;
}

/** `cpu_utilization=0.3,named_metrics.x=1` */
const pairsOf = (text: string): (readonly [string, number])[] =>
  text.split(',').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim(), Number(pair.slice(at + 1))] as const;
  });

function fromPairs(pairs: Iterable<readonly [string, number]>): LoadReport {
  const metrics = new Map<string, number>();
  for (const [name, value] of pairs) metrics.set(name, asAmount(value));
  const of = (name: string): number => metrics.get(name) ?? 0;
  return {
    cpu: of('cpu_utilization'),
    memory: of('mem_utilization'),
    application: of('application_utilization'),
    requests: of('rps_fractional'),
    errors: of('eps'),
    metrics,
  };
}

/** protobuf's JSON takes field names in both spellings. */
function fromJson(text: string): LoadReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const pairs: [string, number][] = [];
  for (const [name, of] of Object.entries(value)) {
    const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (typeof of === 'object' && of !== null)
      for (const [key, each] of Object.entries(of)) pairs.push([`${field}.${key}`, numberOf(each)]);
    else pairs.push([field, numberOf(of)]);
  }
  return fromPairs(pairs);
}

/** A list becomes a number by way of its text, and one within thousands of others would end the stack. */
const numberOf = (value: unknown): number =>
  typeof value === 'string' || typeof value === 'number' ? Number(value) : 0;
