import { isIP } from '../schema/syntax.ts';
import { compareText, MultiMap } from './multi-map.ts';
import type { MeshService, ServiceKey } from './read-model.ts';

/** Services by hostname, namespace and address; each answer keeps its identity until it changes. */
export class Lookups {
  readonly #services = new Map<ServiceKey, MeshService>();
  readonly #byHostname = new MultiMap<string, ServiceKey>();
  readonly #byNamespace = new MultiMap<string, ServiceKey>();
  readonly #byAddress = new MultiMap<string, ServiceKey>();
  readonly #answers = new Map<string, readonly MeshService[]>();
  #hostnames: readonly string[] | undefined;
  #wildcards: readonly string[] | undefined;
  readonly #prefixes = new Set<string>();

  get(key: ServiceKey): MeshService | undefined {
    return this.#services.get(key);
  }

  /** Says whether the set of hostnames is another now. */
  set(key: ServiceKey, service: MeshService | undefined): boolean {
    const before = this.#services.get(key);
    const hostname = key.slice(key.indexOf('/') + 1);
    const had = this.#byHostname.has(hostname);
    if (before !== undefined) this.#index(before, 'delete');
    if (service === undefined) this.#services.delete(key);
    else {
      this.#services.set(key, service);
      this.#index(service, 'add');
    }
    if (had === this.#byHostname.has(hostname)) return false;
    this.#hostnames = undefined;
    this.#wildcards = undefined;
    return true;
  }

  services(hostname: string): readonly MeshService[] {
    return this.#answer(`host|${hostname}`, this.#byHostname.get(hostname), byPreference);
  }

  servicesIn(namespace: string): readonly MeshService[] {
    return this.#answer(`namespace|${namespace}`, this.#byNamespace.get(namespace), byHostname);
  }

  servicesAt(address: string): readonly MeshService[] {
    return this.#answer(`address|${address}`, this.#byAddress.get(address), byPreference);
  }

  hostnames(): readonly string[] {
    this.#hostnames ??= [...new Set([...this.#services.values()].map(({ hostname }) => hostname))].sort(compareText);
    return this.#hostnames;
  }

  wildcards(): readonly string[] {
    this.#wildcards ??= this.hostnames()
      .filter((hostname) => hostname.startsWith('*'))
      .sort((a, b) => b.length - a.length || compareText(a, b));
    return this.#wildcards;
  }

  prefixes(): readonly string[] {
    return [...this.#prefixes].sort((a, b) => lengthOf(b) - lengthOf(a) || compareText(a, b));
  }

  #index(service: MeshService, change: 'add' | 'delete'): void {
    const { key, hostname, namespace } = service;
    this.#byHostname[change](hostname, key);
    this.#byNamespace[change](namespace, key);
    this.#answers.delete(`host|${hostname}`);
    this.#answers.delete(`namespace|${namespace}`);
    for (const address of addressesOf(service)) {
      this.#byAddress[change](address, key);
      if (isPrefix(address)) this.#prefixes[this.#byAddress.has(address) ? 'add' : 'delete'](address);
      this.#answers.delete(`address|${address}`);
    }
  }

  #answer(
    question: string,
    keys: ReadonlySet<ServiceKey>,
    order: (a: MeshService, b: MeshService) => number,
  ): readonly MeshService[] {
    if (keys.size === 0) return NONE;
    const known = this.#answers.get(question);
    if (known !== undefined) return known;
    const found = [...keys].flatMap((key) => this.#services.get(key) ?? []).sort(order);
    this.#answers.set(question, found);
    return found;
  }
}

const NONE: readonly MeshService[] = [];

/** Single addresses and CIDR prefixes. */
export const addressesOf = (service: MeshService | undefined): readonly string[] =>
  (service?.addresses ?? [])
    .filter((address) => isIP(address) || isPrefix(address))
    .map((address) => address.toLowerCase());

export const isPrefix = (address: string): boolean => address.includes('/');

const lengthOf = (prefix: string): number => Number(prefix.slice(prefix.indexOf('/') + 1));

const RANK = { kubernetes: 0, 'service-entry': 1, implicit: 2 } as const;

/** Istio: Kubernetes over ServiceEntry, else the oldest, else by namespace. */
const byPreference = (a: MeshService, b: MeshService): number =>
  RANK[a.kind] - RANK[b.kind] ||
  (a.creationTime ?? 0) - (b.creationTime ?? 0) ||
  compareText(a.namespace, b.namespace) ||
  compareText(a.hostname, b.hostname);

const byHostname = (a: MeshService, b: MeshService): number => compareText(a.hostname, b.hostname);
