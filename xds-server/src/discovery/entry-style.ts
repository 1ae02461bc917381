import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DurationSchema, durationFromMs } from '@bufbuild/protobuf/wkt';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import { ResourceErrorSchema, ResourceSchema } from '@inmesh/sdk/internal/gen/discovery';
import { anyOf, type EncodedResource, entry } from '../snapshot/encoded-resource.ts';
import type { View } from '../translate/view.ts';

/** How the resources of a response are dressed for one client. */
export interface EntryStyle {
  /** Over SotW each in a discovery.v3.Resource, which has its name even where its body cannot be read (gRFC A46). */
  readonly isWrapped: boolean;
  /** The client drops a resource that it has not heard of for so long (Envoy Resource.ttl). */
  readonly ttlMs?: number | undefined;
  /** Why there is no resource of this name; undefined: nothing more is said than that. */
  readonly absence: (name: string) => string | undefined;
}

/** What the client says it can read (Envoy Node.client_features). */
const WRAPPED = 'xds.config.resource-in-sotw';
const WRAPPER_TYPE = `type.googleapis.com/${ResourceSchema.typeName}`;
/** Resource.ttl, DiscoveryResponse.resource_errors, DeltaDiscoveryResponse.resource_errors. */
const TTL = 6;
const ERRORS = { sotw: 7, delta: 9 } as const;
/** google.rpc.Code NOT_FOUND. */
const NOT_FOUND = 5;

export const isUnwrapping = ({ clientFeatures }: Node): boolean => clientFeatures.includes(WRAPPED);

/** gRPC's clients know no time to live, and would refuse what renews it: a resource without a body. */
export const keepsTime = (method: 'delta' | 'sotw', kind: View['kind'], node: Node): boolean =>
  kind !== 'grpc' && (method === 'delta' || isUnwrapping(node));

const ttlField = (ttlMs: number): Uint8Array =>
  new BinaryWriter()
    .tag(TTL, WireType.LengthDelimited)
    .bytes(toBinary(DurationSchema, durationFromMs(ttlMs)))
    .finish();

/** The `resources` entry of a response. */
export function entryOf(resource: EncodedResource, method: 'delta' | 'sotw', style: EntryStyle): Uint8Array {
  const { ttlMs, isWrapped } = style;
  if (method === 'sotw' && !isWrapped) return resource.sotwEntry;
  if (ttlMs === undefined) return method === 'delta' ? resource.deltaEntry : resource.wrappedEntry;
  return dressed(Buffer.concat([resource.wrapper, ttlField(ttlMs)]), method);
}

const dressed = (wrapper: Uint8Array, method: 'delta' | 'sotw'): Uint8Array =>
  entry(method === 'delta' ? wrapper : anyOf(WRAPPER_TYPE, wrapper));

/** The same without a body: what the client has of this version lives on (Envoy xDS protocol, TTL). */
export function heartbeatEntry(
  { name, version }: { readonly name: string; readonly version: string },
  method: 'delta' | 'sotw',
  ttlMs: number,
): Uint8Array {
  const resource = create(ResourceSchema, { name, version, ttl: durationFromMs(ttlMs) });
  return dressed(toBinary(ResourceSchema, resource), method);
}

/** Whoever asks for thousands of names that nothing has is told of so many; of the others it hears no more than that. */
const MOST_ABSENCES = 1_000;

/** `resource_errors` entries: resources that do not exist, where there is a word on it (gRFC A88). */
export function absenceEntries(
  names: readonly string[],
  method: 'delta' | 'sotw',
  { absence }: EntryStyle,
): readonly Uint8Array[] {
  return names.slice(0, MOST_ABSENCES).flatMap((name) => {
    const why = absence(name);
    return why === undefined ? [] : [absenceEntry(name, why, method)];
  });
}

function absenceEntry(name: string, why: string, method: 'delta' | 'sotw'): Uint8Array {
  const error = create(ResourceErrorSchema, {
    resourceName: { name },
    errorDetail: { code: NOT_FOUND, message: why },
  });
  return new BinaryWriter()
    .tag(ERRORS[method], WireType.LengthDelimited)
    .bytes(toBinary(ResourceErrorSchema, error))
    .finish();
}
