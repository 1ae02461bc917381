import type { GrpcMetadata } from './types.ts';

/** The class of the application's own copy of grpc-js, by which its metadata was made. */
interface MetadataClass {
  new (): GrpcMetadata;
  fromHttp2Headers(headers: object): GrpcMetadata;
}

const classOf = (metadata: GrpcMetadata): MetadataClass => metadata.constructor as unknown as MetadataClass;

export const noMetadata = (like: GrpcMetadata): GrpcMetadata => new (classOf(like))();

/** Headers of a gRPC request that are the channel's, not the application's (PROTOCOL-HTTP2, reserved names). */
const RESERVED: ReadonlySet<string> = new Set([
  'te',
  'content-type',
  'content-length',
  'host',
  'user-agent',
  'connection',
  'grpc-timeout',
  'grpc-encoding',
  'grpc-accept-encoding',
  'grpc-message-type',
  'grpc-previous-rpc-attempts',
]);

/** A flat list; `-bin` values are base64 already. */
export function headersOf(metadata: GrpcMetadata): string[] {
  const list: string[] = [];
  for (const [name, values] of Object.entries(metadata.toHttp2Headers())) {
    if (RESERVED.has(name)) continue;
    for (const value of Array.isArray(values) ? values : [values]) list.push(name, String(value));
  }
  return list;
}

/** What is the status, and so no metadata. */
const STATUS: ReadonlySet<string> = new Set(['grpc-status', 'grpc-message']);

/** Headers or trailers as grpc-js reads them. */
export function metadataOf(headers: readonly string[], like: GrpcMetadata): GrpcMetadata {
  const record: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]];
    if (STATUS.has(name)) continue;
    const before = record[name];
    // Of a -bin header the parts of each value are told apart by grpc-js only where it stands alone.
    const parts = name.endsWith('-bin') ? value.split(',').map((part) => part.trim()) : [value];
    const [first = ''] = parts;
    if (before === undefined) record[name] = parts.length === 1 ? first : parts;
    else record[name] = [...(Array.isArray(before) ? before : [before]), ...parts];
  }
  return classOf(like).fromHttp2Headers(record);
}
