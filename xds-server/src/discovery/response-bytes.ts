/**
 * Responses put together from bytes that are encoded already: a header, then each resource's cached `resources` field entry.
 * Field numbers: envoy.service.discovery.v3.DiscoveryResponse and DeltaDiscoveryResponse.
 */

const LENGTH_DELIMITED = 2;
const VERSION_INFO = 1;
const TYPE_URL = 4;
const NONCE = 5;
const REMOVED_RESOURCES = 6;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

function textField(number: number, text: string): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([(number << 3) | LENGTH_DELIMITED, ...varint(body.length)]), body]);
}

export interface ResponseHead {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
}

/** One encoded DiscoveryResponse. */
export function sotwResponse({ version, typeUrl, nonce }: ResponseHead, entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    textField(VERSION_INFO, version),
    ...entries,
    textField(TYPE_URL, typeUrl),
    textField(NONCE, nonce),
  ]);
}

/** One encoded DeltaDiscoveryResponse. */
export function deltaResponse(
  { version, typeUrl, nonce }: ResponseHead,
  entries: readonly Uint8Array[],
  removed: readonly string[],
): Buffer {
  return Buffer.concat([
    textField(VERSION_INFO, version),
    ...entries,
    textField(TYPE_URL, typeUrl),
    textField(NONCE, nonce),
    ...removed.map((name) => textField(REMOVED_RESOURCES, name)),
  ]);
}
