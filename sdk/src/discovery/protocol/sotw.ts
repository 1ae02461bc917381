import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { DiscoveryRequestSchema, DiscoveryResponseSchema, ResourceSchema } from '../../../gen/discovery.js';
import {
  type AdsResponse,
  type Dialect,
  type Held,
  NACK_CODE,
  type NodeSource,
  PRESENCE_TYPE,
  type Renewed,
  type WireResource,
} from './dialect.ts';
import { faultsOf, isRenewed, unwrapped } from './wrapper.ts';

interface TypeState {
  /** Of the first request on this stream. */
  readonly firstNames: ReadonlySet<string>;
  names: ReadonlySet<string>;
  /** Last received. */
  nonce: string;
  /** Last accepted. */
  version: string;
}

const WRAPPER_TYPE = `type.googleapis.com/${ResourceSchema.typeName}`;

/** State-of-the-world xDS: every request names all we want, every listener or cluster response holds all there is. */
export function createSotw(node: NodeSource, isWholeState: (typeUrl: string) => boolean): Dialect {
  const types = new Map<string, TypeState>();
  let isFirst = true;

  function request(typeUrl: string, error?: string): Uint8Array {
    const state = types.get(typeUrl);
    const fields = {
      typeUrl,
      resourceNames: [...(state?.names ?? [])],
      versionInfo: state?.version ?? '',
      responseNonce: state?.nonce ?? '',
      ...(isFirst && { node: node() }),
      ...(error !== undefined && { errorDetail: { code: NACK_CODE, message: error } }),
    };
    isFirst = false;
    return toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, fields));
  }

  return {
    subscribe(typeUrl, names) {
      const state = types.get(typeUrl);
      // An empty first request would be a wildcard for listeners and clusters; once names were sent, an empty list means none.
      if (state === undefined && names.size === 0) return undefined;
      if (state !== undefined && sameNames(state.names, names)) return undefined;
      const wanted = new Set(names.keys());
      types.set(typeUrl, { firstNames: wanted, nonce: '', version: '', ...state, names: wanted });
      return request(typeUrl);
    },
    present() {
      isFirst = true;
      const [known] = types.keys();
      return request(known ?? PRESENCE_TYPE);
    },
    read(bytes): AdsResponse {
      const message = fromBinary(DiscoveryResponseSchema, bytes);
      const { typeUrl, nonce, versionInfo } = message;
      const state = types.get(typeUrl);
      const answers: ReadonlySet<string> = state?.nonce === '' ? state.firstNames : new Set();
      if (state !== undefined) state.nonce = nonce;
      const told = message.resources.map((any) => read(any, versionInfo));
      const resources = told.filter((one) => !isRenewed(one));
      const renewed = told.filter(isRenewed);
      return {
        typeUrl,
        nonce,
        version: versionInfo,
        revision: '',
        resources,
        renewed,
        removed: [],
        errors: faultsOf(message.resourceErrors),
        // What only renews says nothing of what it does not name.
        isComplete: isWholeState(typeUrl) && (resources.length > 0 || renewed.length === 0),
        answers,
      };
    },
    again(typeUrl, names) {
      const state = types.get(typeUrl);
      if (state === undefined || state.names.isDisjointFrom(names)) return [];
      const others = state.names.difference(names);
      types.set(typeUrl, { ...state, names: others });
      const without = request(typeUrl);
      types.set(typeUrl, state);
      return [without, request(typeUrl)];
    },
    answer(response, names, error) {
      const before = types.get(response.typeUrl);
      // A NACK repeats the last accepted version. The names go along, so that a change of mind needs no second request.
      types.set(response.typeUrl, {
        firstNames: new Set(),
        names: new Set(names.keys()),
        nonce: response.nonce,
        version: error === undefined ? response.version : (before?.version ?? ''),
      });
      return request(response.typeUrl, error);
    },
  };
}

function sameNames(a: ReadonlySet<string>, b: ReadonlyMap<string, Held>): boolean {
  if (a.size !== b.size) return false;
  for (const name of a) if (!b.has(name)) return false;
  return true;
}

/** discovery.v3.Resource around the resource (client feature `xds.config.resource-in-sotw`). */
function read(any: Any, version: string): WireResource | Renewed {
  const plain: WireResource = { name: '', version, typeUrl: any.typeUrl, bytes: any.value, repeats: true };
  if (any.typeUrl !== WRAPPER_TYPE) return plain;
  try {
    const one = unwrapped(fromBinary(ResourceSchema, any.value), version);
    const repeated: WireResource | Renewed = isRenewed(one) ? one : Object.assign(one, { repeats: true as const });
    return repeated;
  } catch {
    // Stays what it is: as a resource of the wrong type it is named in the NACK.
    return plain;
  }
}
