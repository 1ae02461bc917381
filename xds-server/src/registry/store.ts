import type { AnyObject, ConfigObject, Kind, ObjectKey } from '../schema/types.ts';
import { type Instance, instanceOf, selects } from './instance.ts';
import { kubernetesHostname, serviceKey } from './kubernetes-service.ts';
import { localityOfLabels } from './locality.ts';
import { compareText, MultiMap } from './multi-map.ts';
import type { EndpointLocality, ServiceKey } from './read-model.ts';
import { type AddressList, addressName, nodesOf, podName, referredNames } from './references.ts';
import { hostnamesOf } from './service-entry.ts';

/** Kinds the registry merges; all others pass it by. */
export const MERGED: ReadonlySet<Kind> = new Set<Kind>([
  'Service',
  'ServiceEntry',
  'Endpoints',
  'EndpointSlice',
  'Pod',
  'WorkloadEntry',
  'Node',
]);

export type Definition = ConfigObject<'Service'> | ConfigObject<'ServiceEntry'>;
type Change = 'add' | 'delete';
type Selector = ReadonlyMap<string, string>;

/** Begins the key of a Node, which has no namespace. */
const NODE = 'Node//';

const SLICE_SERVICE = 'kubernetes.io/service-name';

/** The objects and every way the registry looks them up. Knows which services an object can concern. */
export class Store {
  readonly #clusterDomain: string;
  readonly #objects = new Map<ObjectKey, AnyObject>();
  readonly #instances = new Map<ObjectKey, Instance>();
  readonly #definitions = new MultiMap<ServiceKey, ObjectKey>();
  readonly #definitionsIn = new MultiMap<string, ObjectKey>();
  /** Definitions by the first pair of their selector, `namespace|label=value`. */
  readonly #selectors = new MultiMap<string, ObjectKey>();
  readonly #byLabel = new MultiMap<string, ObjectKey>();
  readonly #registeredIn = new MultiMap<string, ObjectKey>();
  readonly #nodes = new Map<string, EndpointLocality>();
  /** Pods and address lists by the Nodes they name. */
  readonly #onNode = new MultiMap<string, ObjectKey>();
  readonly #lists = new MultiMap<ServiceKey, ObjectKey>();
  /** Instances by `namespace|address`, Pods by `namespace|Pod|name` too. */
  readonly #named = new MultiMap<string, ObjectKey>();
  /** Registered processes with the labels of the service they name, for as long as its selector stays. */
  readonly #labelled = new WeakMap<Instance, { readonly selector: Selector; readonly labelled: Instance }>();
  /** EndpointSlices and Endpoints by the names they refer to. */
  readonly #references = new MultiMap<string, ObjectKey>();

  constructor(clusterDomain: string) {
    this.#clusterDomain = clusterDomain;
  }

  get(key: ObjectKey): AnyObject | undefined {
    return this.#objects.get(key);
  }

  instance(key: ObjectKey): Instance | undefined {
    return this.#instances.get(key);
  }

  /** Only the position is another: no index changes. */
  reposition(object: AnyObject): void {
    this.#objects.set(object.key, object);
  }

  put(object: AnyObject, touched: Set<ServiceKey>): void {
    this.#objects.set(object.key, object);
    const instance = this.#instanceOf(object);
    if (instance !== undefined) this.#instances.set(object.key, instance);
    this.#index(object, 'add', touched);
    if (object.kind === 'Node') this.#moveNode(object.name, localityOfLabels(object.labels), touched);
  }

  /** Where a Node stands; its Pods and the addresses of slices stand there too. */
  nodeLocality(name: string | undefined): EndpointLocality | undefined {
    return name === undefined ? undefined : this.#nodes.get(name);
  }

  /** Pods on a Node, with an address or without. */
  placedOn(node: string): readonly ConfigObject<'Pod'>[] {
    return this.#read(this.#onNode.get(node), (object) => object.kind === 'Pod');
  }

  /** Pods of the Node with this key. */
  podsOn(node: ObjectKey): readonly ObjectKey[] {
    if (!node.startsWith(NODE)) return [];
    return inOrder(this.#onNode.get(node.slice(NODE.length))).filter((key) => this.#instances.has(key));
  }

  #moveNode(name: string, locality: EndpointLocality | undefined, touched: Set<ServiceKey>): void {
    const pods = this.#read(this.#onNode.get(name), (object) => object.kind === 'Pod' || isList(object));
    for (const { key } of pods) this.remove(key, touched);
    if (locality === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, locality);
    for (const object of pods) this.put(object, touched);
  }

  #instanceOf(object: AnyObject): Instance | undefined {
    if (object.kind === 'Pod') return instanceOf(object, this.nodeLocality(object.spec.nodeName));
    return object.kind === 'WorkloadEntry' ? instanceOf(object) : undefined;
  }

  remove(key: ObjectKey, touched: Set<ServiceKey>): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#index(object, 'delete', touched);
    this.#objects.delete(key);
    this.#instances.delete(key);
    if (object.kind === 'Node') this.#moveNode(object.name, undefined, touched);
  }

  /** Kubernetes before ServiceEntry, then oldest, then by name: the first one defines the service. */
  definitions(key: ServiceKey): readonly Definition[] {
    return this.#read(this.#definitions.get(key), isDefinition).sort(byPrecedence);
  }

  /** Services that several objects define. */
  contested(): readonly ServiceKey[] {
    return this.#definitions.keys().filter((key) => this.#definitions.get(key).size > 1);
  }

  slices(key: ServiceKey): readonly ConfigObject<'EndpointSlice'>[] {
    return this.#read(this.#lists.get(key), (object) => object.kind === 'EndpointSlice');
  }

  endpoints(key: ServiceKey): readonly ConfigObject<'Endpoints'>[] {
    return this.#read(this.#lists.get(key), (object) => object.kind === 'Endpoints');
  }

  /** Pods and WorkloadEntries that match the selector. */
  selected(namespace: string, selector: ReadonlyMap<string, string>): readonly Instance[] {
    const [first] = selector;
    if (first === undefined) return [];
    const candidates = this.#instancesOf(this.#byLabel.get(pair(namespace, first)));
    return candidates.filter(({ workload }) => selects(selector, workload.labels));
  }

  /** Processes that registered themselves in a namespace, with the labels of the service they named. */
  registered(namespace: string): readonly Instance[] {
    return this.#instancesOf(this.#registeredIn.get(namespace)).map((instance) => this.withServiceLabels(instance));
  }

  /**
   * A registered process is a member of the service it names, so it has what that service selects by, and `app` as
   * everybody's samples do; its own labels win. Other Services (one a version, say) may then select it as well.
   */
  withServiceLabels(instance: Instance): Instance {
    const named = this.serviceOf(instance);
    if (named === undefined) return instance;
    const [definition] = this.definitions(named);
    const selector = definition === undefined ? NO_LABELS : selectorOf(definition);
    const known = this.#labelled.get(instance);
    if (known?.selector === selector) return known.labelled;
    const name = named.slice(named.indexOf('/') + 1).split('.')[0] ?? '';
    const labels = new Map([['app', name], ...selector, ...instance.workload.labels]);
    const labelled = { ...instance, workload: { ...instance.workload, labels } };
    this.#labelled.set(instance, { selector, labelled });
    return labelled;
  }

  /** The service a registered process means: a name in its own namespace, or a full host name. */
  serviceOf({ registered, workload: { namespace } }: Instance): ServiceKey | undefined {
    if (registered === undefined) return undefined;
    const name = registered.service.toLowerCase();
    const hostname = name.includes('.') ? name : kubernetesHostname(name, namespace, this.#clusterDomain);
    return serviceKey(namespace, hostname);
  }

  find(namespace: string, pod: string | undefined, address: string): Instance | undefined {
    const byName = pod === undefined ? [] : this.#instancesOf(this.#named.get(podName(namespace, pod)));
    return byName[0] ?? this.#instancesOf(this.#named.get(addressName(namespace, address)))[0];
  }

  #read<T extends AnyObject>(keys: ReadonlySet<ObjectKey>, is: (object: AnyObject) => object is T): T[] {
    return inOrder(keys).flatMap((key) => {
      const object = this.#objects.get(key);
      return object !== undefined && is(object) ? [object] : [];
    });
  }

  #instancesOf(keys: ReadonlySet<ObjectKey>): readonly Instance[] {
    return inOrder(keys).flatMap((key) => this.#instances.get(key) ?? []);
  }

  #index(object: AnyObject, change: Change, touched: Set<ServiceKey>): void {
    for (const node of nodesOf(object)) this.#onNode[change](node, object.key);
    if (isDefinition(object)) this.#indexDefinition(object, change, touched);
    else if (object.kind === 'EndpointSlice' || object.kind === 'Endpoints') this.#indexList(object, change, touched);
    else if (object.kind === 'Pod' || object.kind === 'WorkloadEntry') this.#indexInstance(object, change, touched);
  }

  #indexDefinition(object: Definition, change: Change, touched: Set<ServiceKey>): void {
    const { namespace, key } = object;
    const [first] = selectorOf(object);
    for (const service of this.#servicesOf(object)) {
      touched.add(service);
      this.#definitions[change](service, key);
    }
    this.#definitionsIn[change](namespace, key);
    if (first !== undefined) this.#selectors[change](pair(namespace, first), key);
    // What it selects by becomes the labels of processes that name it, and so a matter of all its neighbours.
    const namesIt = (instance: Instance): boolean => touched.has(this.serviceOf(instance) ?? '');
    if (this.#instancesOf(this.#registeredIn.get(namespace)).some(namesIt)) this.#touchNamespace(namespace, touched);
  }

  #touchNamespace(namespace: string, touched: Set<ServiceKey>): void {
    for (const definition of this.#read(this.#definitionsIn.get(namespace), isDefinition)) {
      for (const service of this.#servicesOf(definition)) touched.add(service);
    }
  }

  #indexList(object: AddressList, change: Change, touched: Set<ServiceKey>): void {
    const service = this.#serviceOfList(object);
    if (service === undefined) return;
    touched.add(service);
    this.#lists[change](service, object.key);
    for (const name of referredNames(object)) this.#references[change](name, object.key);
  }

  #indexInstance(object: AnyObject, change: Change, touched: Set<ServiceKey>): void {
    const instance = this.#instances.get(object.key);
    if (instance === undefined) return;
    const { namespace, labels, address } = instance.workload;
    const names = [addressName(namespace, address)];
    if (object.kind === 'Pod') names.push(podName(namespace, object.name));
    for (const name of names) {
      this.#named[change](name, object.key);
      for (const list of this.#read(this.#references.get(name), isList)) {
        const service = this.#serviceOfList(list);
        if (service !== undefined) touched.add(service);
      }
    }
    const named = this.serviceOf(instance);
    if (named !== undefined) {
      this.#registeredIn[change](namespace, object.key);
      touched.add(named);
      this.#touchSelecting(this.withServiceLabels(instance), touched);
      return;
    }
    for (const label of labels) this.#byLabel[change](pair(namespace, label), object.key);
    this.#touchSelecting(instance, touched);
  }

  #touchSelecting({ workload: { namespace, labels } }: Instance, touched: Set<ServiceKey>): void {
    for (const label of labels) {
      for (const definition of this.#read(this.#selectors.get(pair(namespace, label)), isDefinition)) {
        if (!selects(selectorOf(definition), labels)) continue;
        for (const service of this.#servicesOf(definition)) touched.add(service);
      }
    }
  }

  #servicesOf(object: Definition): readonly ServiceKey[] {
    const { namespace, name } = object;
    const hostnames =
      object.kind === 'Service' ? [kubernetesHostname(name, namespace, this.#clusterDomain)] : hostnamesOf(object);
    return hostnames.map((hostname) => serviceKey(namespace, hostname));
  }

  #serviceOfList(object: AddressList): ServiceKey | undefined {
    const service = object.kind === 'Endpoints' ? object.name : object.labels.get(SLICE_SERVICE);
    if (service === undefined) return undefined;
    return serviceKey(object.namespace, kubernetesHostname(service, object.namespace, this.#clusterDomain));
  }
}

const isDefinition = (object: AnyObject): object is Definition & AnyObject =>
  object.kind === 'Service' || object.kind === 'ServiceEntry';

const isList = (object: AnyObject): object is AddressList & AnyObject =>
  object.kind === 'EndpointSlice' || object.kind === 'Endpoints';

/** By key: what is read must not depend on the order in which things came. */
const inOrder = (keys: ReadonlySet<ObjectKey>): readonly ObjectKey[] => [...keys].sort(compareText);

const selectorOf = (object: Definition): Selector =>
  object.kind === 'Service' ? object.spec.selector : (object.spec.workloadSelector?.labels ?? NO_LABELS);

const NO_LABELS: Selector = new Map();

const pair = (namespace: string, [name, value]: readonly [string, string]): string => `${namespace}|${name}=${value}`;

const byPrecedence = (a: Definition, b: Definition): number =>
  Number(a.kind !== 'Service') - Number(b.kind !== 'Service') ||
  (a.creationTime ?? 0) - (b.creationTime ?? 0) ||
  compareText(a.name, b.name);
