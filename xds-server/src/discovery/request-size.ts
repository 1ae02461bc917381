import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export interface RequestLimits {
  readonly requestBytes: number;
  /** Names and versions, mostly. */
  readonly requestFields: number;
  readonly nodeBytes: number;
}

/** Field number of `node` in a DeltaDiscoveryRequest and a DiscoveryRequest. */
const NODE = { delta: 1, sotw: 2 };
/** The least that a field takes. */
const FIELD_BYTES = 2;

/**
 * What is too much about a request, before it is parsed: 4 MiB can hold two million names, and each becomes an object. Bytes
 * that are no message are left to the parser.
 */
export function tooLarge(bytes: Uint8Array, method: 'delta' | 'sotw', limits: RequestLimits): string | undefined {
  const { requestBytes, requestFields, nodeBytes } = limits;
  if (bytes.length > requestBytes) return `${bytes.length} bytes, at most ${requestBytes} are read`;
  if (bytes.length <= Math.min(FIELD_BYTES * requestFields, nodeBytes)) return undefined;
  const reader = new BinaryReader(bytes);
  try {
    for (let count = 1; reader.pos < reader.len; count++) {
      if (count > requestFields) return `more than ${requestFields} names and versions`;
      const start = reader.pos;
      const [field, wireType] = reader.tag();
      reader.skip(wireType, field);
      const length = reader.pos - start;
      if (field === NODE[method] && wireType === WireType.LengthDelimited && length > nodeBytes)
        return `a node of ${length} bytes, at most ${nodeBytes} are read`;
    }
  } catch {
    return undefined;
  }
  return undefined;
}
