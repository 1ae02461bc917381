import type { Family, Graph, Read } from '../graph/graph.ts';
import { clusterBasis } from '../translate/cluster/basis.ts';
import { isLocalityWeighted } from '../translate/endpoint/locality.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, ROUTE_SOURCES_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { referencedClusters } from '../translate/route/referenced-clusters.ts';
import { routeConfiguration } from '../translate/route/route-configuration.ts';
import { TRANSLATORS, translateRouteSources } from '../translate/translate.ts';
import { canonicalView, NO_LOCALITY, type Relevance, type View, viewKey, viewOfKey } from '../translate/view.ts';
import { type EncodedResource, encodeResource, type Hash } from './encoded-resource.ts';
import type { RouteVersion } from './route-holds.ts';
import type { WorldCells } from './world-cells.ts';

/** Resources as cells: by type, View and name, made when first asked for and again only when something they read changed. */
export interface Resources {
  /** One text for all clients that get the same bytes of this name; the newest Relevance decides. */
  key(view: View, typeUrl: string, name: string, relevance: Relevance): string;
  get(typeUrl: string, key: string): EncodedResource | undefined;
  route(key: string): RouteVersion | undefined;
  has(typeUrl: string, key: string): boolean;
  /** Whether the View of `key` has this cluster. */
  clusterExists(key: string, cluster: string): boolean;
}

type Encoded = EncodedResource | undefined;

const sameVersion = (a: Encoded, b: Encoded): boolean => a?.version === b?.version;

const SEPARATOR = '\n';

const split = (key: string): { readonly view: View; readonly name: string } => {
  const at = key.indexOf(SEPARATOR);
  return { view: viewOfKey(key.slice(0, at)), name: key.slice(at + 1) };
};

export const createResources = (graph: Graph, cells: WorldCells, hash: Hash): Resources => {
  const encode = (typeUrl: string, name: string, body: Uint8Array | undefined): Encoded =>
    body && encodeResource(typeUrl, name, body, hash);

  const families = new Map<string, Family<Encoded>>();
  for (const [typeUrl, translate] of TRANSLATORS) {
    const compute = (read: Read, key: string): Encoded => {
      const { view, name } = split(key);
      return encode(typeUrl, name, translate(cells.world(read), view, name));
    };
    families.set(typeUrl, graph.deriveds(typeUrl, compute, sameVersion));
  }
  const sources = graph.deriveds(
    ROUTE_SOURCES_TYPE,
    (read, key) => {
      const { view, name } = split(key);
      const body = translateRouteSources(cells.world(read), view, name, (object) => read(cells.origin.at(object)));
      return encode(ROUTE_SOURCES_TYPE, name, body);
    },
    sameVersion,
  );
  families.set(ROUTE_SOURCES_TYPE, sources);

  const clustersOf = graph.deriveds('referenced clusters', (read, key): readonly string[] => {
    const { view, name } = split(key);
    const routes = routeConfiguration(cells.world(read), view, name);
    return routes === undefined ? [] : referencedClusters(routes.configuration);
  });
  const exists = graph.deriveds('cluster exists', (read, key) => {
    const { view, name } = split(key);
    return clusterBasis(cells.world(read), view, name) !== undefined;
  });
  const placed = graph.deriveds('cluster depends on the place', (read, key) => {
    const { view, name } = split(key);
    const basis = clusterBasis(cells.world(read), view, name);
    return basis !== undefined && isLocalityWeighted(basis.policy);
  });

  const keys = createKeys(placed);
  return {
    key: keys,
    get: (typeUrl, key) => families.get(typeUrl)?.at(key).get(),
    has: (typeUrl, key) => families.get(typeUrl)?.has(key) ?? false,
    route(key) {
      const resource = families.get(ROUTE_TYPE)?.at(key).get();
      return resource && { resource, clusters: clustersOf.at(key).get() };
    },
    clusterExists: (key, cluster) => exists.at(key.slice(0, key.indexOf(SEPARATOR) + 1) + cluster).get(),
  };
};

interface ViewKeys {
  readonly relevance: Relevance;
  /** Without the locality: enough for all but clusters that spread by it. */
  readonly who: string;
  readonly where: string;
}

const createKeys = (placed: Family<boolean>): Resources['key'] => {
  const known = new WeakMap<View, ViewKeys>();
  const keysOf = (view: View, relevance: Relevance): ViewKeys => {
    const before = known.get(view);
    if (before?.relevance === relevance) return before;
    const canonical = canonicalView(view, relevance);
    const made = { relevance, who: viewKey({ ...canonical, locality: NO_LOCALITY }), where: viewKey(canonical) };
    known.set(view, made);
    return made;
  };
  return (view, typeUrl, name, relevance) => {
    const { who, where } = keysOf(view, relevance);
    const key = `${who}${SEPARATOR}${name}`;
    const spreads = (typeUrl === ENDPOINT_TYPE || typeUrl === CLUSTER_TYPE) && who !== where && placed.at(key).get();
    return spreads ? `${where}${SEPARATOR}${name}` : key;
  };
};
