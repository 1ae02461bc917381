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
  /** That discovery.v3.Resource alone; further fields may be put behind it. */
  readonly wrapper: Uint8Array;
  /** The `resources` field of a DiscoveryResponse with the same in it, for clients that unwrap it. */
  readonly wrappedEntry: Uint8Array;
}

/** Text that is the same for the same bytes and, for all that matters, for no others. */
export type Hash = (bytes: Uint8Array) => string;

/** DiscoveryResponse.resources and DeltaDiscoveryResponse.resources. */
const RESOURCES = 2;

export const encodeResource = (typeUrl: string, name: string, body: Uint8Array, hash: Hash): EncodedResource =>
  new Encoded(typeUrl, name, hash(body), body);

/** Holds the bytes once: the Any lies within the delta entry. */
class Encoded implements EncodedResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  readonly deltaEntry: Uint8Array;
  readonly #start: number;
  readonly #anyStart: number;
  readonly #anyEnd: number;
  #sotwEntry: Uint8Array | undefined;
  #wrappedEntry: Uint8Array | undefined;

  constructor(typeUrl: string, name: string, version: string, body: Uint8Array) {
    const any = anyOf(typeUrl, body);
    const tail = new BinaryWriter().tag(3, WireType.LengthDelimited).string(name).finish();
    const head = new BinaryWriter().tag(1, WireType.LengthDelimited).string(version);
    const resource = head.tag(2, WireType.LengthDelimited).bytes(any).raw(tail).finish();
    this.typeUrl = typeUrl;
    this.name = name;
    this.version = version;
    this.deltaEntry = entry(resource);
    this.#start = this.deltaEntry.length - resource.length;
    this.#anyEnd = this.deltaEntry.length - tail.length;
    this.#anyStart = this.#anyEnd - any.length;
  }

  get any(): Uint8Array {
    return this.deltaEntry.subarray(this.#anyStart, this.#anyEnd);
  }

  get sotwEntry(): Uint8Array {
    this.#sotwEntry ??= entry(this.any);
    return this.#sotwEntry;
  }

  get wrapper(): Uint8Array {
    return this.deltaEntry.subarray(this.#start);
  }

  get wrappedEntry(): Uint8Array {
    this.#wrappedEntry ??= entry(anyOf(WRAPPER_TYPE, this.wrapper));
    return this.#wrappedEntry;
  }
}

const WRAPPER_TYPE = 'type.googleapis.com/envoy.service.discovery.v3.Resource';

/** An encoded google.protobuf.Any. */
export const anyOf = (typeUrl: string, body: Uint8Array): Uint8Array =>
  new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(typeUrl)
    .tag(2, WireType.LengthDelimited)
    .bytes(body)
    .finish();

/** One `resources` field of a response, tag included. */
export const entry = (bytes: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(RESOURCES, WireType.LengthDelimited).bytes(bytes).finish();

/** One object for resources that are the same byte for byte, whichever View they were made for; held while someone holds it. */
export const createInterning = (): ((resource: EncodedResource) => EncodedResource) => {
  const known = new Map<string, WeakRef<EncodedResource>>();
  const gone = new FinalizationRegistry((key: string) => {
    if (known.get(key)?.deref() === undefined) known.delete(key);
  });
  return (resource) => {
    const key = [resource.typeUrl, resource.name, resource.version].join('\n');
    const before = known.get(key)?.deref();
    if (before !== undefined) return before;
    known.set(key, new WeakRef(resource));
    gone.register(resource, key);
    return resource;
  };
};
