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
  type WireResource,
} from './dialect.ts';

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
      return {
        typeUrl,
        nonce,
        version: versionInfo,
        revision: '',
        resources: message.resources.map((any) => unwrap(any, versionInfo)),
        removed: [],
        isComplete: isWholeState(typeUrl),
        answers,
      };
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
function unwrap(any: Any, version: string): WireResource {
  const plain = { name: '', version, typeUrl: any.typeUrl, bytes: any.value };
  if (any.typeUrl !== WRAPPER_TYPE) return plain;
  try {
    const { name, resource } = fromBinary(ResourceSchema, any.value);
    return { name, version, typeUrl: resource?.typeUrl ?? '', bytes: resource?.value ?? new Uint8Array() };
  } catch {
    // Stays what it is: as a resource of the wrong type it is named in the NACK.
    return plain;
  }
}
