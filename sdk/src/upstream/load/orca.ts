import type { LoadReport } from '../../balancer/load-weight.ts';

/**
 * xds.data.orca.v3.OrcaLoadReport, read by hand: it may come with every answer, and needs no generated code but two kinds of
 * fields. A number that is none, or is negative, counts as 0.
 */

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** By field number. */
const DOUBLES: ReadonlyMap<number, keyof Numbers> = new Map([
  [1, 'cpu'],
  [2, 'memory'],
  [6, 'requests'],
  [7, 'errors'],
  [9, 'application'],
]);
const MAPS: ReadonlyMap<number, string> = new Map([
  [4, 'request_cost'],
  [5, 'utilization'],
  [8, 'named_metrics'],
]);

interface Numbers {
  cpu: number;
  memory: number;
  application: number;
  requests: number;
  errors: number;
}

interface Field {
  readonly number: number;
  readonly wireType: number;
  readonly bytes: Uint8Array;
}

/** undefined: the bytes are no such message. */
export function readOrca(bytes: Uint8Array): LoadReport | undefined {
  const numbers: Numbers = { cpu: 0, memory: 0, application: 0, requests: 0, errors: 0 };
  const metrics = new Map<string, number>();
  for (const field of fieldsOf(bytes)) {
    if (field === undefined) return undefined;
    const name = DOUBLES.get(field.number);
    const map = MAPS.get(field.number);
    if (name !== undefined && field.wireType === FIXED64) numbers[name] = doubleOf(field.bytes);
    else if (map !== undefined && field.wireType === DELIMITED) {
      const entry = readEntry(field.bytes);
      if (entry === undefined) return undefined;
      metrics.set(`${map}.${entry.key}`, entry.value);
    }
  }
  return { ...numbers, metrics };
}

/** xds.service.orca.v3.OrcaLoadReportRequest: `google.protobuf.Duration report_interval = 1`. */
export function encodeReportRequest(periodMs: number): Uint8Array {
  const seconds = Math.floor(periodMs / 1_000);
  const nanos = Math.round((periodMs - seconds * 1_000) * 1_000_000);
  const duration = [
    ...(seconds > 0 ? [0x08, ...varintOf(seconds)] : []),
    ...(nanos > 0 ? [0x10, ...varintOf(nanos)] : []),
  ];
  return Uint8Array.from([0x0a, duration.length, ...duration]);
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return [...bytes, left];
}

function readEntry(bytes: Uint8Array): { key: string; value: number } | undefined {
  const entry = { key: '', value: 0 };
  for (const field of fieldsOf(bytes)) {
    if (field === undefined) return undefined;
    if (field.number === 1 && field.wireType === DELIMITED) entry.key = Buffer.from(field.bytes).toString('utf8');
    else if (field.number === 2 && field.wireType === FIXED64) entry.value = doubleOf(field.bytes);
  }
  return entry;
}

export const asAmount = (value: number): number => (Number.isFinite(value) && value > 0 ? value : 0);

const doubleOf = (bytes: Uint8Array): number =>
  asAmount(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0, true));

/** One after another; undefined, last, where they cannot be told apart. */
function* fieldsOf(bytes: Uint8Array): Generator<Field | undefined> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    const start = wireType === DELIMITED ? varint() : 0;
    const from = at;
    if (wireType === VARINT) varint();
    const length = wireType === DELIMITED ? start : wireType === FIXED64 ? 8 : wireType === FIXED32 ? 4 : 0;
    const isKnown = wireType === VARINT || wireType === FIXED64 || wireType === FIXED32 || wireType === DELIMITED;
    at += length;
    if (!isKnown || !(tag >= 8) || !(at <= bytes.length)) {
      yield undefined;
      return;
    }
    yield { number: Math.floor(tag / 8), wireType, bytes: bytes.subarray(from, at) };
  }
}
