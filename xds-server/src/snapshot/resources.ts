import type { Cell, Family, Graph, Read } from '../graph/graph.ts';
import { grpcClient } from '../translate/client/grpc-client.ts';
import { NOT_FOR_GRPC } from '../translate/client/routes.ts';
import { clusterBasis } from '../translate/cluster/basis.ts';
import { type Limit, limitsOf } from '../translate/limit/limits.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, ROUTE_SOURCES_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { referencedClusters } from '../translate/route/referenced-clusters.ts';
import { routeConfiguration } from '../translate/route/route-configuration.ts';
import { TRANSLATORS, translateRouteSources } from '../translate/translate.ts';
import { canonicalView, NO_LOCALITY, type Relevance, type View, viewKey, viewOfKey } from '../translate/view.ts';
import type { World } from '../translate/world.ts';
import { createInterning, type EncodedResource, encodeResource, type Hash } from './encoded-resource.ts';
import type { RouteVersion } from './route-holds.ts';
import type { WorldCells } from './world-cells.ts';

/** Resources as cells: by type, View and name, made when first asked for and again only when something they read changed. */
export interface Resources {
  /** One text for all clients that get the same bytes of this name; the newest Relevance decides. */
  key(view: View, typeUrl: string, name: string, relevance: Relevance): string;
  get(typeUrl: string, key: string): EncodedResource | undefined;
  /** The cell behind `get`, where the key stays the same as long as the Relevance does. */
  cell(view: View, typeUrl: string, name: string, relevance: Relevance): Cell<EncodedResource | undefined> | undefined;
  route(key: string): RouteVersion | undefined;
  has(typeUrl: string, key: string): boolean;
  /** Whether the View of `key` has this cluster. */
  clusterExists(key: string, cluster: string): boolean;
  /** What of the resource will not happen as written at this client, which `view` names. */
  limits(view: View, typeUrl: string, name: string, relevance: Relevance): readonly Limit[];
}

type Encoded = EncodedResource | undefined;

const sameVersion = (a: Encoded, b: Encoded): boolean => a?.version === b?.version;

const SEPARATOR = '\n';

interface ViewName {
  readonly view: View;
  readonly name: string;
}

const split = (key: string): ViewName => {
  const at = key.indexOf(SEPARATOR);
  return { view: viewOfKey(key.slice(0, at)), name: key.slice(at + 1) };
};

export interface ResourcesDeps {
  readonly cells: WorldCells;
  readonly hash: Hash;
  /** Translation threw, which it should not: the resource does not exist, and this says why. */
  readonly failed: (message: string) => void;
}

export const createResources = (graph: Graph, { cells, hash, failed }: ResourcesDeps): Resources => {
  /** One object that breaks a translator must not break the streams of everyone else. */
  const derive = <T>(
    label: string,
    fallback: T,
    compute: (world: World, key: ViewName, read: Read) => T,
    equal?: (a: T, b: T) => boolean,
  ): Family<T> =>
    graph.deriveds(
      label,
      (read, key) => {
        const parts = split(key);
        try {
          return compute(cells.world(read), parts, read);
        } catch (error) {
          failed(`${label} ${parts.name}: ${error instanceof Error ? error.message : String(error)}`);
          return fallback;
        }
      },
      equal,
    );
  const intern = createInterning();
  const encode = (typeUrl: string, name: string, body: Uint8Array | undefined): Encoded =>
    body && intern(encodeResource(typeUrl, name, body, hash));

  const families = new Map<string, Family<Encoded>>();
  for (const [typeUrl, translate] of TRANSLATORS) {
    const compute = (world: World, { view, name }: ViewName): Encoded =>
      encode(typeUrl, name, translate(world, view, name));
    families.set(typeUrl, derive(typeUrl, undefined, compute, sameVersion));
  }
  const sources = (world: World, { view, name }: ViewName, read: Read): Encoded => {
    const body = translateRouteSources(world, view, name, (object) => read(cells.origin.at(object)));
    return encode(ROUTE_SOURCES_TYPE, name, body);
  };
  families.set(ROUTE_SOURCES_TYPE, derive(ROUTE_SOURCES_TYPE, undefined, sources, sameVersion));

  const clustersOf = derive<readonly string[]>('referenced clusters', [], (world, { view, name }) => {
    const routes = routeConfiguration(world, view, name);
    return routes === undefined ? [] : referencedClusters(routes.configuration);
  });
  const exists = derive(
    'cluster exists',
    false,
    // A route that goes nowhere on purpose is not one that waits for its cluster.
    (world, { view, name }) => name === NOT_FOR_GRPC || clusterBasis(world, view, name) !== undefined,
  );
  const placed = derive('cluster depends on the place', false, (world, { view, name }) => {
    const basis = clusterBasis(world, view, name);
    return basis?.spread !== undefined;
  });

  const limits = derive<readonly Limit[]>('limits', [], (world, { view, name }) => {
    const [client, typeUrl = '', resource = ''] = name.split(SEPARATOR);
    return limitsOf(world, { ...view, client: grpcClient(client) }, typeUrl, resource);
  });

  const { keyOf, isFixed } = createKeys(placed);
  // The same bytes name the same clusters.
  const routeVersions = new WeakMap<EncodedResource, RouteVersion>();
  return {
    key: keyOf,
    cell: (view, typeUrl, name, relevance) =>
      isFixed(view, typeUrl, relevance) ? families.get(typeUrl)?.at(keyOf(view, typeUrl, name, relevance)) : undefined,
    get: (typeUrl, key) => families.get(typeUrl)?.at(key).get(),
    has: (typeUrl, key) => families.get(typeUrl)?.has(key) ?? false,
    route(key) {
      const resource = families.get(ROUTE_TYPE)?.at(key).get();
      if (resource === undefined) return undefined;
      const known = routeVersions.get(resource);
      if (known !== undefined) return known;
      const made = { resource, clusters: clustersOf.at(key).get() };
      routeVersions.set(resource, made);
      return made;
    },
    limits: (view, typeUrl, name, relevance) => {
      if (view.kind !== 'grpc') return [];
      const who = viewKey({ ...canonicalView(view, relevance), locality: NO_LOCALITY });
      return limits.at([who, view.client ?? 'unknown', typeUrl, name].join(SEPARATOR)).get();
    },
    clusterExists: (key, cluster) => exists.at(key.slice(0, key.indexOf(SEPARATOR) + 1) + cluster).get(),
  };
};

interface ViewKeys {
  readonly relevance: Relevance;
  /** Without the locality: enough for all but clusters that spread by it. */
  readonly who: string;
  readonly where: string;
  /** By name: a client asks for the same few again at every push, and making the text costs more than the look-up. */
  readonly keys: Map<string, string>;
}

/** What nobody asks for any more is not kept for ever. */
const MOST_KEYS = 65_536;
const MOST_VIEWS = 1_024;

interface Keys {
  readonly keyOf: Resources['key'];
  readonly isFixed: (view: View, typeUrl: string, relevance: Relevance) => boolean;
}

const createKeys = (placed: Family<boolean>): Keys => {
  const known = new WeakMap<View, ViewKeys>();
  /** Clients of one View share their keys: the same text in the same place. */
  const shared = new Map<string, ViewKeys>();
  const keysOf = (view: View, relevance: Relevance): ViewKeys => {
    const before = known.get(view);
    if (before?.relevance === relevance) return before;
    const canonical = canonicalView(view, relevance);
    const where = viewKey(canonical);
    let made = shared.get(where);
    if (made?.relevance !== relevance) {
      if (shared.size >= MOST_VIEWS) shared.clear();
      made = { relevance, who: viewKey({ ...canonical, locality: NO_LOCALITY }), where, keys: new Map() };
      shared.set(where, made);
    }
    known.set(view, made);
    return made;
  };
  const maySpread = (typeUrl: string, { who, where }: ViewKeys): boolean =>
    (typeUrl === ENDPOINT_TYPE || typeUrl === CLUSTER_TYPE) && who !== where;
  const keyOf: Resources['key'] = (view, typeUrl, name, relevance) => {
    const viewKeys = keysOf(view, relevance);
    const { who, where, keys } = viewKeys;
    let key = keys.get(name);
    if (key === undefined) {
      if (keys.size >= MOST_KEYS) keys.clear();
      key = `${who}${SEPARATOR}${name}`;
      keys.set(name, key);
    }
    return maySpread(typeUrl, viewKeys) && placed.at(key).get() ? `${where}${SEPARATOR}${name}` : key;
  };
  return { keyOf, isFixed: (view, typeUrl, relevance) => !maySpread(typeUrl, keysOf(view, relevance)) };
};
