import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '../../sdk/gen/discovery.js';
import type { AdsListener, AdsTransport } from '../../sdk/src/discovery/transport.ts';

interface Resource {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A control plane of handwritten resources: each name is answered with its bytes, or at once with "does not exist". */
export interface StaticAds {
  readonly transport: AdsTransport;
  /** Node metadata of the last request that carried a node. */
  metadata(): Readonly<Record<string, unknown>>;
  /** Sets a resource and sends it to whoever subscribed to its name. */
  set(name: string, resource: Resource): void;
  /** From now on new streams and requests are left without an answer. */
  silent: boolean;
}

type Response = MessageInitShape<typeof DeltaDiscoveryResponseSchema>;

export function createStaticAds(): StaticAds {
  const resources = new Map<string, Resource>();
  const keyOf = (typeUrl: string, name: string) => `${typeUrl} ${name}`;
  const streams = new Set<{ readonly subscribed: Set<string>; say(response: Response): void }>();
  let metadata: Record<string, unknown> = {};
  let version = 0;
  const answer = (typeUrl: string, names: readonly string[]): Response => {
    const known = names.filter((name) => resources.has(keyOf(typeUrl, name)));
    return {
      typeUrl,
      nonce: String(++version),
      systemVersionInfo: String(version),
      removedResources: names.filter((name) => !known.includes(name)),
      resources: known.map((name) => {
        const resource = resources.get(keyOf(typeUrl, name));
        return { name, version: String(version), ...(resource && { resource }) };
      }),
    };
  };
  const open = (on: AdsListener) => {
    const subscribed = new Set<string>();
    let isClosed = false;
    const later = (run: () => void) => queueMicrotask(() => isClosed || run());
    const say = (response: Response): void =>
      later(() => on.message(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, response))));
    const stream = { subscribed, say };
    streams.add(stream);
    if (!ads.silent) later(() => on.opened?.());
    return {
      send(bytes: Uint8Array) {
        const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
        if (request.node?.metadata) metadata = request.node.metadata;
        for (const name of request.resourceNamesUnsubscribe) subscribed.delete(keyOf(request.typeUrl, name));
        for (const name of request.resourceNamesSubscribe) subscribed.add(keyOf(request.typeUrl, name));
        if (request.resourceNamesSubscribe.length > 0 && !ads.silent)
          say(answer(request.typeUrl, request.resourceNamesSubscribe));
      },
      close() {
        isClosed = true;
        streams.delete(stream);
      },
      ref() {},
      unref() {},
    };
  };
  const ads: StaticAds = {
    transport: { server: 'in-process', open: (_method, on) => open(on) },
    metadata: () => metadata,
    silent: false,
    set(name, resource) {
      resources.set(keyOf(resource.typeUrl, name), resource);
      for (const { subscribed, say } of streams) {
        if (subscribed.has(keyOf(resource.typeUrl, name))) say(answer(resource.typeUrl, [name]));
      }
    },
  };
  return ads;
}
