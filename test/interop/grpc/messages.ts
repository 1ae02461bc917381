import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** As much of grpc/testing/messages.proto as the interop cases need. */

export interface Status {
  readonly code: number;
  readonly message: string;
}

export interface SimpleRequest {
  readonly size?: number;
  readonly payload?: number;
  readonly status?: Status;
}

const LENGTH = WireType.LengthDelimited;
const VARINT = WireType.Varint;

function payload(writer: BinaryWriter, field: number, size: number): void {
  writer.tag(field, LENGTH).fork().tag(2, LENGTH).bytes(new Uint8Array(size)).join();
}

function status(writer: BinaryWriter, { code, message }: Status): void {
  writer.tag(7, LENGTH).fork().tag(1, VARINT).int32(code).tag(2, LENGTH).string(message).join();
}

const done = (writer: BinaryWriter): Buffer => Buffer.from(writer.finish());

export function simpleRequest({ size, payload: bytes, status: of }: SimpleRequest): Buffer {
  const writer = new BinaryWriter();
  if (size !== undefined) writer.tag(2, VARINT).int32(size);
  if (bytes !== undefined) payload(writer, 3, bytes);
  if (of !== undefined) status(writer, of);
  return done(writer);
}

export function streamingOutputRequest(
  sizes: readonly number[],
  { payload: bytes, status: of }: Pick<SimpleRequest, 'payload' | 'status'> = {},
): Buffer {
  const writer = new BinaryWriter();
  for (const size of sizes) writer.tag(2, LENGTH).fork().tag(1, VARINT).int32(size).join();
  if (bytes !== undefined) payload(writer, 3, bytes);
  if (of !== undefined) status(writer, of);
  return done(writer);
}

export function streamingInputRequest(size: number): Buffer {
  const writer = new BinaryWriter();
  payload(writer, 1, size);
  return done(writer);
}

/** Of SimpleResponse and StreamingOutputCallResponse: the length of the payload's body. */
export function payloadSize(message: Uint8Array): number {
  const outer = new BinaryReader(message);
  while (outer.pos < outer.len) {
    const [field, type] = outer.tag();
    if (field !== 1 || type !== LENGTH) {
      outer.skip(type);
      continue;
    }
    const inner = new BinaryReader(outer.bytes());
    while (inner.pos < inner.len) {
      const [number, wire] = inner.tag();
      if (number === 2) return inner.bytes().length;
      inner.skip(wire);
    }
  }
  return 0;
}

/** Of StreamingInputCallResponse. */
export function aggregatedSize(message: Uint8Array): number {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) return reader.int32();
    reader.skip(type);
  }
  return 0;
}

/** The last of each field, blocks as bytes; and every one of field 2. */
function fieldsOf(message: Uint8Array) {
  const last = new Map<number, number | Uint8Array>();
  const second: Uint8Array[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type !== LENGTH) {
      last.set(field, reader.int32());
      continue;
    }
    const bytes = reader.bytes();
    last.set(field, bytes);
    if (field === 2) second.push(bytes);
  }
  const number = (field: number): number => Number(last.get(field) ?? 0);
  const bytes = (field: number): Uint8Array => {
    const value = last.get(field);
    return value instanceof Uint8Array ? value : new Uint8Array();
  };
  return { number, bytes, second };
}

function readStatus(message: Uint8Array): Status {
  const { number, bytes } = fieldsOf(message);
  return { code: number(1), message: new TextDecoder().decode(bytes(2)) };
}

export function readSimpleRequest(message: Uint8Array): { readonly size: number; readonly status: Status } {
  const { number, bytes } = fieldsOf(message);
  return { size: number(2), status: readStatus(bytes(7)) };
}

export interface OutputRequest {
  readonly sizes: readonly number[];
  readonly status: Status;
}

export function readOutputRequest(message: Uint8Array): OutputRequest {
  const { second, bytes } = fieldsOf(message);
  return { sizes: second.map((parameters) => fieldsOf(parameters).number(1)), status: readStatus(bytes(7)) };
}

/** SimpleResponse and StreamingOutputCallResponse. */
export function payloadAnswer(size: number): Buffer {
  const writer = new BinaryWriter();
  payload(writer, 1, size);
  return done(writer);
}

/** StreamingInputCallResponse. */
export const aggregated = (size: number): Buffer => done(new BinaryWriter().tag(1, VARINT).int32(size));
