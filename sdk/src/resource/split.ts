import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export interface SplitMessage {
  /** The bodies of one repeated message field, in order. */
  readonly parts: readonly Uint8Array[];
  /** The message without them. */
  readonly rest: Uint8Array;
}

/**
 * Takes a repeated message field out of an encoded message, without decoding anything. Decoding 10,000 endpoints in one go
 * stalls the event loop for 50 ms and more; taken apart, they are decoded in slices with the same generated code.
 */
export function splitField(bytes: Uint8Array, fieldNumber: number): SplitMessage {
  const reader = new BinaryReader(bytes);
  const parts: Uint8Array[] = [];
  const kept: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wireType] = reader.tag();
    if (field === fieldNumber && wireType === WireType.LengthDelimited) parts.push(reader.bytes());
    else {
      reader.skip(wireType, field);
      kept.push(bytes.subarray(start, reader.pos));
    }
  }
  return { parts, rest: Buffer.concat(kept) };
}
