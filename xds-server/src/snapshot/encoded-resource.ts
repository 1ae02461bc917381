import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** One resource as it goes over the wire, encoded once however many clients hold it. */
export interface EncodedResource {
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of the bytes: equal content has equal versions on every replica and after every restart. */
  readonly version: string;
  /** The google.protobuf.Any. */
  readonly any: Uint8Array;
  /** The `resources` field of a DiscoveryResponse, tag included: a response is a header and these, one after another. */
  readonly sotwEntry: Uint8Array;
  /** The same of a DeltaDiscoveryResponse: a discovery.v3.Resource with name and version. */
  readonly deltaEntry: Uint8Array;
}

/** Text that is the same for the same bytes and, for all that matters, for no others. */
export type Hash = (bytes: Uint8Array) => string;

/** DiscoveryResponse.resources and DeltaDiscoveryResponse.resources. */
const RESOURCES = 2;

export const encodeResource = (typeUrl: string, name: string, body: Uint8Array, hash: Hash): EncodedResource => {
  const any = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(typeUrl)
    .tag(2, WireType.LengthDelimited)
    .bytes(body)
    .finish();
  const version = hash(body);
  const resource = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(version)
    .tag(2, WireType.LengthDelimited)
    .bytes(any)
    .tag(3, WireType.LengthDelimited)
    .string(name)
    .finish();
  return { typeUrl, name, version, any, sotwEntry: entry(any), deltaEntry: entry(resource) };
};

const entry = (bytes: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(RESOURCES, WireType.LengthDelimited).bytes(bytes).finish();
