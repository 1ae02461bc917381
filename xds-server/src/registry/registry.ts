import { objectTitle } from '../schema/problem.ts';
import type { ChangeEvent, ObjectKey, Origin, Problem } from '../schema/types.ts';
import { addressesOf, Lookups } from './lookups.ts';
import { type MergedService, mergeService } from './merge.ts';
import { compareText, MultiMap } from './multi-map.ts';
import { type Pod, type PodReads, podOf } from './pods.ts';
import type { EndpointsKey, MeshEndpoint, RegistryChanges, RegistryReads, ServiceKey, Workload } from './read-model.ts';
import { sameValue } from './same-value.ts';
import { MERGED, Store } from './store.ts';

export interface Registry extends RegistryReads, PodReads {
  /** Takes events in their order and says what reads differently now. Other kinds than the registry's pass by. */
  apply(events: readonly ChangeEvent[]): RegistryChanges;
  problems(): readonly Problem[];
}

export const endpointsKey = (service: ServiceKey, port: number): EndpointsKey => `${service}|${port}`;

export const createRegistry = (options: { readonly clusterDomain?: string } = {}): Registry =>
  new MergingRegistry(options.clusterDomain ?? 'cluster.local');

class Changes implements RegistryChanges {
  readonly hostnames = new Set<string>();
  readonly services = new Set<ServiceKey>();
  readonly endpoints = new Set<EndpointsKey>();
  readonly namespaces = new Set<string>();
  readonly addresses = new Set<string>();
  readonly workloads = new Set<string>();
  hostnameSet = false;
  hasPods = false;
}

class MergingRegistry implements Registry {
  readonly #clusterDomain: string;
  readonly #store: Store;
  readonly #lookups = new Lookups();
  readonly #endpoints = new Map<EndpointsKey, readonly MeshEndpoint[]>();
  /** Objects of a workload by `namespace/name`: several registered processes may share one. */
  readonly #workloads = new MultiMap<string, ObjectKey>();
  readonly #workloadsIn = new MultiMap<string, string>();
  readonly #podListeners = new Set<() => void>();

  constructor(clusterDomain: string) {
    this.#clusterDomain = clusterDomain;
    this.#store = new Store(clusterDomain);
  }

  apply(events: readonly ChangeEvent[]): RegistryChanges {
    const changes = new Changes();
    const touched = new Set<ServiceKey>();
    for (const event of events) this.#take(event, touched, changes);
    for (const key of touched) this.#rebuild(key, changes);
    if (changes.hasPods) for (const listener of [...this.#podListeners]) listener();
    return changes;
  }

  services(hostname: string) {
    return this.#lookups.services(hostname);
  }

  service(key: ServiceKey) {
    return this.#lookups.get(key);
  }

  servicesIn(namespace: string) {
    return this.#lookups.servicesIn(namespace);
  }

  hostnames() {
    return this.#lookups.hostnames();
  }

  wildcards() {
    return this.#lookups.wildcards();
  }

  servicesAt(address: string) {
    return this.#lookups.servicesAt(address.toLowerCase());
  }

  prefixes() {
    return this.#lookups.prefixes();
  }

  endpoints(service: ServiceKey, port: number): readonly MeshEndpoint[] {
    return this.#endpoints.get(endpointsKey(service, port)) ?? NO_ENDPOINTS;
  }

  workload(namespace: string, name: string): Workload | undefined {
    const found = [...this.#workloads.get(`${namespace}/${name}`)].flatMap(
      (key) => this.#store.instance(key)?.workload ?? [],
    );
    return found.sort((a, b) => compareText(a.kind, b.kind) || compareText(a.address, b.address))[0];
  }

  workloads(namespace: string): readonly Workload[] {
    return [...this.#workloadsIn.get(namespace)]
      .sort(compareText)
      .flatMap((name) => this.workload(namespace, name) ?? []);
  }

  workloadNamespaces(): readonly string[] {
    return [...this.#workloadsIn.keys()].sort(compareText);
  }

  pod(namespace: string, name: string): Pod | undefined {
    return podOf(this.#store.get(`Pod/${namespace}/${name}`));
  }

  podsOn(node: string): readonly Pod[] {
    return this.#store.placedOn(node).flatMap((object) => podOf(object) ?? []);
  }

  onPodsChange(listener: () => void): () => void {
    this.#podListeners.add(listener);
    return () => this.#podListeners.delete(listener);
  }

  origin(key: ObjectKey): Origin | undefined {
    return this.#store.get(key)?.origin;
  }

  problems(): readonly Problem[] {
    return [...this.#store.contested().flatMap((key) => this.#contest(key)), ...this.#implicit()];
  }

  /** Several objects may define one service: the first decides what it is, the others only add endpoints. */
  #contest(key: ServiceKey): readonly Problem[] {
    const [owner, ...others] = this.#store.definitions(key);
    return others.map(({ kind, namespace, name, origin }) => ({
      severity: 'warning',
      file: origin.file,
      line: origin.line('spec.hosts'),
      object: objectTitle(kind, namespace, name),
      fieldPath: 'spec.hosts',
      message: `${key.slice(key.indexOf('/') + 1)} is defined by ${owner?.kind} ${owner?.namespace}/${owner?.name}, which comes first: only the endpoints of this one count`,
    }));
  }

  #implicit(): readonly Problem[] {
    return this.hostnames()
      .flatMap((hostname) => this.services(hostname))
      .filter(({ kind }) => kind === 'implicit')
      .map(({ name, namespace, ports }) => ({
        severity: 'info',
        file: '(registered)',
        line: 1,
        object: objectTitle('Service', namespace, name),
        message: `no Service or ServiceEntry has this name; processes registered under it make one, http on port ${ports.map(({ number }) => number).join(', ')}`,
      }));
  }

  #take(event: ChangeEvent, touched: Set<ServiceKey>, changes: Changes): void {
    const key = event.kind === 'upsert' ? event.object.key : event.key;
    const before = this.#store.get(key);
    if (event.kind === 'upsert') {
      const { object } = event;
      if (!MERGED.has(object.kind)) return;
      if (before?.contentHash === object.contentHash) {
        this.#store.reposition(object);
        return;
      }
    } else if (before === undefined) return;
    if (key.startsWith('Pod/')) changes.hasPods = true;
    // With a Node its Pods move.
    const moved = [key, ...this.#store.podsOn(key)];
    for (const one of moved) this.#noteWorkload(one, 'delete', changes);
    this.#store.remove(key, touched);
    if (event.kind === 'upsert') this.#store.put(event.object, touched);
    for (const one of moved) this.#noteWorkload(one, 'add', changes);
  }

  #noteWorkload(key: ObjectKey, change: 'add' | 'delete', changes: Changes): void {
    const workload = this.#store.instance(key)?.workload;
    if (workload === undefined) return;
    const { namespace, name } = workload;
    const full = `${namespace}/${name}`;
    this.#workloads[change](full, key);
    if (change === 'add' || !this.#workloads.has(full)) this.#workloadsIn[change](namespace, name);
    changes.workloads.add(full);
  }

  #rebuild(key: ServiceKey, changes: Changes): void {
    const merged = mergeService(this.#store, key, this.#clusterDomain);
    const before = this.#lookups.get(key);
    const after = merged?.service;
    if (!sameValue(before, after)) {
      for (const { hostname, namespace } of [before ?? [], after ?? []].flat()) {
        changes.hostnames.add(hostname);
        changes.namespaces.add(namespace);
      }
      for (const address of [...addressesOf(before), ...addressesOf(after)]) changes.addresses.add(address);
      changes.services.add(key);
      if (this.#lookups.set(key, after)) changes.hostnameSet = true;
    }
    const ports = new Set([...(before?.ports ?? []), ...(after?.ports ?? [])].map(({ number }) => number));
    for (const port of ports) this.#setEndpoints(endpointsKey(key, port), merged?.endpoints.get(port), changes);
  }

  #setEndpoints(key: EndpointsKey, after: MergedEndpoints | undefined, changes: Changes): void {
    const before = this.#endpoints.get(key);
    if (sameValue(before, after)) return;
    if (after === undefined) this.#endpoints.delete(key);
    else this.#endpoints.set(key, after);
    changes.endpoints.add(key);
  }
}

type MergedEndpoints = ReturnType<MergedService['endpoints']['get']>;

const NO_ENDPOINTS: readonly MeshEndpoint[] = [];
