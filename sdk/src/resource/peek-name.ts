import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/**
 * The resource's name without decoding it: field 1 of Listener, RouteConfiguration, Cluster and ClusterLoadAssignment
 * alike. Empty where it cannot be read. So a resource of which nothing else can be read is still named in the NACK.
 */
export function peekName(bytes: Uint8Array): string {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) return wireType === WireType.LengthDelimited ? reader.string() : '';
      reader.skip(wireType, field);
    }
  } catch {
    // Garbage has no name.
  }
  return '';
}
