import { encodeXdstpId, formatXdstp, isXdstp, parseXdstp } from '@inmesh/sdk/internal/model/resource-name';
import { type EncodedResource, encodeResource, type Hash } from './encoded-resource.ts';
import { renamed } from './federated-body.ts';
import type { Lookup } from './lookup.ts';

/** Names of other control planes' making: `xdstp://AUTHORITY/TYPE/ID` (gRFC A47, xRFC TP1). */
export interface Federation {
  /** The same, and xdstp names of this type whose authority is served. */
  lookup(typeUrl: string, plain: Lookup): Lookup;
  /** The name by which we know it; undefined: it is not ours. A plain name is itself. */
  plainName(typeUrl: string, name: string): string | undefined;
  /** Why an xdstp name is none of ours; undefined: it is, or it is a plain name. */
  fault(typeUrl: string, name: string): string | undefined;
}

export interface FederationOptions {
  /** Authorities that are served; the empty one is that of `xdstp:///…`. */
  readonly authorities: readonly string[];
  readonly hash: Hash;
}

const TYPE_PREFIX = 'type.googleapis.com/';
/** Spellings of one name that are kept with its resource. */
const MOST_SPELLINGS = 16;

export function createFederation({ authorities, hash }: FederationOptions): Federation {
  const served = new Set(authorities.map((authority) => authority.toLowerCase()));
  const known = new WeakMap<EncodedResource, Map<string, EncodedResource>>();

  const read = (typeUrl: string, name: string): string | { readonly id: string; readonly authority: string } => {
    const parsed = parseXdstp(name);
    if (typeof parsed === 'string') return parsed;
    if (!served.has(parsed.authority)) return `the authority "${parsed.authority}" is not served here`;
    if (`${TYPE_PREFIX}${parsed.type}` !== typeUrl) return `it names a ${parsed.type}`;
    // None of ours depends on a context; one with other parameters is another resource.
    if (parsed.context.size > 0) return `nothing here has the context parameter "${[...parsed.context.keys()][0]}"`;
    const id = decoded(parsed.id);
    if (id === undefined) return 'its id is no UTF-8';
    return isXdstp(id) ? 'its id is an xdstp name' : { id, authority: parsed.authority };
  };
  const parse = (typeUrl: string, name: string) => {
    const ours = read(typeUrl, name);
    return typeof ours === 'string' ? undefined : ours;
  };
  const made = (resource: EncodedResource, name: string, authority: string): EncodedResource => {
    let spellings = known.get(resource);
    if (spellings === undefined || spellings.size >= MOST_SPELLINGS) {
      spellings = new Map();
      known.set(resource, spellings);
    }
    const before = spellings.get(name);
    if (before !== undefined) return before;
    const nameOf = (type: string, id: string): string =>
      formatXdstp({ authority, type, id: encodeXdstpId(id), context: new Map() });
    const encoded = encodeResource(resource.typeUrl, name, renamed(resource, name, nameOf), hash);
    spellings.set(name, encoded);
    return encoded;
  };
  return {
    lookup: (typeUrl, plain) => (name) => {
      if (!isXdstp(name)) return plain(name);
      const ours = parse(typeUrl, name);
      const found = ours && plain(ours.id);
      return found && made(found, name, ours.authority);
    },
    fault(typeUrl, name) {
      const ours = isXdstp(name) ? read(typeUrl, name) : undefined;
      return typeof ours === 'string' ? ours : undefined;
    },
    plainName: (typeUrl, name) => (isXdstp(name) ? parse(typeUrl, name)?.id : name),
  };
}

/** undefined where the bytes are no UTF-8. */
function decoded(id: string): string | undefined {
  try {
    return decodeURIComponent(id);
  } catch {
    return undefined;
  }
}
