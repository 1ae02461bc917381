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
  const members = (): ReadonlySet<ObjectKey> => {
    const keys = [...objects.values()].filter(({ namespace }) => belongs(namespace)).map(({ key }) => key);
    return new Set(keys);
  };
  const learn = (object: AnyObject | undefined, key: ObjectKey): void => {
    if (object?.kind === 'Namespace') namespaces.set(object.name, object.labels);
    else if (key.startsWith('Namespace//')) namespaces.delete(key.slice('Namespace//'.length));
    if (key !== `ConfigMap/${MESH_CONFIG_MAP}`) return;
    const mesh = object?.kind === 'ConfigMap' ? object.spec.data.mesh : undefined;
    selectors = mesh?.discoverySelectors ?? [];
    root = mesh?.rootNamespace ?? MESH_DEFAULTS.rootNamespace;
  };

  return {
    apply(events) {
      const passed: ChangeEvent[] = [];
      for (const event of events) {
        const key = event.kind === 'upsert' ? event.object.key : event.key;
        const object = event.kind === 'upsert' ? event.object : undefined;
        const decides = key.startsWith('Namespace/') || key === `ConfigMap/${MESH_CONFIG_MAP}`;
        const before = decides ? members() : undefined;
        if (object === undefined) objects.delete(key);
        else objects.set(key, object);
        learn(object, key);
        if (object === undefined || belongs(object.namespace)) passed.push(event);
        if (before !== undefined) passed.push(...difference(before, members(), objects, key));
      }
      return passed;
    },
  };
};

/** Objects whose namespace has joined or left. */
function* difference(
  before: ReadonlySet<ObjectKey>,
  after: ReadonlySet<ObjectKey>,
  objects: ReadonlyMap<ObjectKey, AnyObject>,
  except: ObjectKey,
): Generator<ChangeEvent> {
  for (const key of before) if (!after.has(key) && key !== except) yield { kind: 'delete', key };
  for (const key of after) {
    const object = objects.get(key);
    if (!before.has(key) && key !== except && object !== undefined) yield { kind: 'upsert', object };
  }
}
