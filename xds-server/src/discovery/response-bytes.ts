/**
 * Responses put together from bytes that are encoded already: a header, then each resource's cached `resources` field entry.
 * Field numbers: envoy.service.discovery.v3.DiscoveryResponse and DeltaDiscoveryResponse.
 */

const LENGTH_DELIMITED = 2;
const VERSION_INFO = 1;
const TYPE_URL = 4;
const NONCE = 5;
const REMOVED_RESOURCES = 6;

/** A text field and the space it takes. */
interface TextField {
  readonly number: number;
  readonly text: string;
  readonly bytes: number;
}

const textField = (number: number, text: string): TextField => ({ number, text, bytes: Buffer.byteLength(text) });

const varintBytes = (value: number): number => Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));

function writeVarint(into: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest > 0x7f) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

/** One buffer, written once: this runs for every stream at every push. */
function join(fields: readonly TextField[], entries: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const { bytes } of fields) length += 1 + varintBytes(bytes) + bytes;
  for (const entry of entries) length += entry.length;
  const into = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { number, text, bytes } of fields) {
    into[at++] = (number << 3) | LENGTH_DELIMITED;
    at = writeVarint(into, at, bytes);
    at += into.write(text, at);
  }
  for (const entry of entries) {
    into.set(entry, at);
    at += entry.length;
  }
  return into;
}

export interface ResponseHead {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
}

const headFields = ({ version, typeUrl, nonce }: ResponseHead): TextField[] => [
  textField(VERSION_INFO, version),
  textField(TYPE_URL, typeUrl),
  textField(NONCE, nonce),
];

/** One encoded DiscoveryResponse. */
export function sotwResponse(head: ResponseHead, entries: readonly Uint8Array[]): Buffer {
  return join(headFields(head), entries);
}

/** One encoded DeltaDiscoveryResponse. */
export function deltaResponse(head: ResponseHead, entries: readonly Uint8Array[], removed: readonly string[]): Buffer {
  return join([...headFields(head), ...removed.map((name) => textField(REMOVED_RESOURCES, name))], entries);
}
