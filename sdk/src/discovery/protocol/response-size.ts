import { BinaryReader } from '@bufbuild/protobuf/wire';
import { defaultOf } from '../../defaults.ts';

/**
 * A look at a response before it is parsed: 64 MiB can hold 30 million empty resources, and each becomes an object. Throws
 * when there are too many, or when the bytes are no message.
 */
export function checkSize(bytes: Uint8Array): void {
  const most = defaultOf('adsMessageFields');
  // Two bytes are the least that a field takes: most responses need no look.
  if (bytes.length <= 2 * most) return;
  const reader = new BinaryReader(bytes);
  for (let count = 1; reader.pos < reader.len; count += 1) {
    if (count > most) throw new Error(`it has more than ${most} resources`);
    const [field, wireType] = reader.tag();
    reader.skip(wireType, field);
  }
}
