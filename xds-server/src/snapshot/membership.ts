import { MESH_CONFIG_MAP } from '../schema/object.ts';
import type { LabelSelector } from '../schema/spec/mesh-config.ts';
import type { AnyObject, ChangeEvent, ObjectKey } from '../schema/types.ts';
import { MESH_DEFAULTS, selectorMatches } from '../translate/mesh-settings.ts';

/** Lets through what is in the mesh: objects of namespaces that MeshConfig.discoverySelectors select. */
export interface Membership {
  /** The same events without those of foreign namespaces, with those of namespaces that have come or gone. */
  apply(events: readonly ChangeEvent[]): readonly ChangeEvent[];
}

/** What the API server puts on every namespace. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

export const createMembership = (): Membership => {
  const objects = new Map<ObjectKey, AnyObject>();
  const namespaces = new Map<string, ReadonlyMap<string, string>>();
  let selectors: readonly LabelSelector[] = [];
  let root = MESH_DEFAULTS.rootNamespace;

  /** Objects without a namespace, and those of the root namespace (its MeshConfig says who belongs), always do. */
  const belongs = (namespace: string): boolean => {
    if (selectors.length === 0 || namespace === '' || namespace === root || MESH_CONFIG_MAP.startsWith(`${namespace}/`))
      return true;
    const labels = new Map([...(namespaces.get(namespace) ?? []), [NAME_LABEL, namespace]]);
    return selectors.some((selector) => selectorMatches(selector, labels));
  };
  const everyNamespace = (): ReadonlySet<string> => new Set([...objects.values()].map(({ namespace }) => namespace));
  const members = (): ReadonlySet<string> => new Set([...everyNamespace()].filter(belongs));
  const learn = (key: ObjectKey, object: AnyObject | undefined): void => {
    if (key === MESH_CONFIG) {
      const mesh = object?.kind === 'ConfigMap' ? object.spec.data.mesh : undefined;
      selectors = mesh?.discoverySelectors ?? [];
      root = mesh?.rootNamespace ?? MESH_DEFAULTS.rootNamespace;
    } else if (object === undefined) namespaces.delete(key.slice(NAMESPACE.length));
    else namespaces.set(object.name, object.labels);
  };
  /** Namespaces that this event takes in or out. */
  const decide = (key: ObjectKey, object: AnyObject | undefined): ReadonlySet<string> => {
    if (key !== MESH_CONFIG) {
      const name = key.slice(NAMESPACE.length);
      const before = belongs(name);
      learn(key, object);
      return new Set(belongs(name) === before ? [] : [name]);
    }
    const selective = selectors.length > 0;
    const before = selective ? members() : undefined;
    learn(key, object);
    if (!selective && selectors.length === 0) return NONE;
    return (before ?? everyNamespace()).symmetricDifference(members());
  };

  return {
    apply(events) {
      const passed: ChangeEvent[] = [];
      for (const event of events) {
        const key = event.kind === 'upsert' ? event.object.key : event.key;
        const object = event.kind === 'upsert' ? event.object : undefined;
        if (object === undefined) objects.delete(key);
        else objects.set(key, object);
        const decides = key === MESH_CONFIG || key.startsWith(NAMESPACE);
        const moved = decides ? decide(key, object) : NONE;
        if (object === undefined || belongs(object.namespace)) passed.push(event);
        if (moved.size > 0) passed.push(...movedObjects(moved));
      }
      return passed;
    },
  };

  /** Objects whose namespace has joined or left. */
  function* movedObjects(moved: ReadonlySet<string>): Generator<ChangeEvent> {
    for (const object of objects.values()) {
      if (!moved.has(object.namespace)) continue;
      yield belongs(object.namespace) ? { kind: 'upsert', object } : { kind: 'delete', key: object.key };
    }
  }
};

const MESH_CONFIG: ObjectKey = `ConfigMap/${MESH_CONFIG_MAP}`;
/** Begins the key of a Namespace, which is in none itself. */
const NAMESPACE = 'Namespace//';
const NONE: ReadonlySet<string> = new Set();
