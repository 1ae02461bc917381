import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '../../../gen/discovery.js';
import { type AdsResponse, type Dialect, type Held, NACK_CODE, type NodeSource, PRESENCE_TYPE } from './dialect.ts';
import { faultsOf, isRenewed, unwrapped } from './wrapper.ts';

/** Incremental xDS: names are added and dropped one by one, each resource has a version of its own. */
export function createDelta(node: NodeSource, server: string): Dialect {
  /** What the server was told that we want, per type. */
  const told = new Map<string, Set<string>>();
  let isFirst = true;

  function request(fields: RequestFields): Uint8Array {
    const withNode = isFirst ? { ...fields, node: node() } : fields;
    isFirst = false;
    return encode(withNode);
  }

  return {
    subscribe(typeUrl, names, changed) {
      const before = told.get(typeUrl);
      const now = before ?? new Set<string>();
      const added: string[] = [];
      const dropped: string[] = [];
      // Only what has changed is looked at: there may be thousands of names, asked for one after the other.
      for (const name of before === undefined || changed === undefined ? now.union(names) : changed) {
        if (!names.has(name)) {
          if (now.delete(name)) dropped.push(name);
        } else if (now.size !== now.add(name).size) added.push(name);
      }
      if (added.length === 0 && dropped.length === 0) return undefined;
      told.set(typeUrl, now);
      return request({
        typeUrl,
        resourceNamesSubscribe: added,
        resourceNamesUnsubscribe: dropped,
        // Only the first request of a type may carry them: the server then sends what differs, and what is gone.
        initialResourceVersions: before === undefined ? versions(names, server) : {},
      });
    },
    present() {
      isFirst = true;
      const [known] = told.keys();
      return request({ typeUrl: known ?? PRESENCE_TYPE });
    },
    read(bytes): AdsResponse {
      const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
      const told = message.resources.map((resource) => unwrapped(resource, resource.version));
      return {
        typeUrl: message.typeUrl,
        nonce: message.nonce,
        version: message.systemVersionInfo,
        revision: message.systemVersionInfo,
        resources: told.filter((one) => !isRenewed(one)),
        renewed: told.filter(isRenewed),
        errors: faultsOf(message.resourceErrors),
        removed: message.removedResources,
        isComplete: false,
        answers: new Set(),
      };
    },
    again(typeUrl, names) {
      // Who is no longer wanted is not asked for.
      const resourceNamesSubscribe = [...names].filter((name) => told.get(typeUrl)?.has(name));
      return resourceNamesSubscribe.length === 0 ? [] : [request({ typeUrl, resourceNamesSubscribe })];
    },
    answer: ({ typeUrl, nonce }, _names, error) =>
      request({
        typeUrl,
        responseNonce: nonce,
        ...(error !== undefined && { errorDetail: { code: NACK_CODE, message: error } }),
      }),
  };
}

type RequestFields = MessageInitShape<typeof DeltaDiscoveryRequestSchema>;

const encode = (fields: RequestFields): Uint8Array =>
  toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields));

/** Only its own: another server may call something else by the same version. */
function versions(names: ReadonlyMap<string, Held>, server: string): Record<string, string> {
  const held: [string, string][] = [];
  for (const [name, { version, from }] of names)
    if (version !== undefined && from === server) held.push([name, version]);
  return Object.fromEntries(held);
}
