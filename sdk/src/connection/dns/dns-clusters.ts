import { isIP } from 'node:net';
import type { Clock } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import type { Discovery, Endpoint, LoadAssignment } from '../../model/cluster.ts';
import type { ClusterConfig } from '../../model/target.ts';
import type { Names, NameView } from './names.ts';

/** Who takes the configuration of a cluster: an upstream. */
export interface ConfigTaker {
  config(): ClusterConfig;
  update(config: ClusterConfig): void;
}

type DnsDiscovery = Extract<Discovery, { kind: 'dns' }>;

/** The endpoints of DNS clusters, kept as their names resolve. Other clusters pass through. */
export class DnsClusters {
  readonly #createNames: () => Names;
  readonly #changed: () => void;
  #names: Names | undefined;
  readonly #followed = new Map<ConfigTaker, Followed>();

  /** Names are made with the first DNS cluster. `changed`: hosts may have gone. */
  constructor(names: () => Names, changed: () => void) {
    this.#createNames = names;
    this.#changed = changed;
  }

  /** As it was given, with names. */
  configOf(taker: ConfigTaker): ClusterConfig {
    return this.#followed.get(taker)?.given ?? taker.config();
  }

  /** What an upstream begins with: no endpoint is known yet. */
  initial(config: ClusterConfig): ClusterConfig {
    const { discovery } = config.cluster;
    return discovery.kind === 'dns' ? { ...config, assignment: resolved(discovery, NOTHING_KNOWN) } : config;
  }

  /** Gives the upstream a configuration, new or for the first time. */
  adopt(taker: ConfigTaker, config: ClusterConfig): void {
    const before = this.#followed.get(taker);
    this.#followed.delete(taker);
    const { discovery } = config.cluster;
    if (discovery.kind === 'dns') {
      this.#names ??= this.#createNames();
      const followed = new Followed({ given: config, discovery, names: this.#names, taker, changed: this.#changed });
      this.#followed.set(taker, followed);
      followed.tell();
    } else if (taker.config() !== config) taker.update(config);
    // Only now: names that both have go on without a gap.
    before?.stop();
  }

  /** Resolves once every name of it has been answered for the first time, or could have been. */
  async settled(taker: ConfigTaker, clock: Clock): Promise<void> {
    const followed = this.#followed.get(taker);
    if (followed === undefined) return;
    const late = Promise.withResolvers<void>();
    const timer = clock.after(defaultOf('dnsTimeoutMs'), late.resolve);
    await Promise.race([followed.settled(), late.promise]);
    timer.cancel();
  }

  drop(taker: ConfigTaker): void {
    this.#followed.get(taker)?.stop();
    this.#followed.delete(taker);
  }
}

interface FollowedParts {
  readonly given: ClusterConfig;
  readonly discovery: DnsDiscovery;
  readonly names: Names;
  readonly taker: ConfigTaker;
  readonly changed: () => void;
}

class Followed {
  readonly given: ClusterConfig;
  readonly #parts: FollowedParts;
  readonly #watches = new Map<string, ReturnType<Names['watch']>>();
  readonly #waiting: (() => void)[] = [];

  constructor(parts: FollowedParts) {
    this.given = parts.given;
    this.#parts = parts;
    const { discovery, names } = parts;
    for (const name of namesOf(discovery.assignment)) {
      if (!this.#watches.has(name))
        this.#watches.set(
          name,
          names.watch(name, discovery.options, () => this.tell()),
        );
    }
  }

  tell(): void {
    const { discovery, taker, changed } = this.#parts;
    const assignment = resolved(discovery, (name) => this.#watches.get(name)?.view);
    taker.update({ ...this.given, assignment });
    changed();
    if (this.#isSettled) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.stop();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get #isSettled(): boolean {
    return [...this.#watches.values()].every(({ view }) => view.isSettled);
  }
}

const NOTHING_KNOWN = (): undefined => undefined;

const isName = ({ address }: Endpoint): boolean => isIP(address) === 0 && !address.startsWith('unix:');

const namesOf = ({ localities }: LoadAssignment): readonly string[] =>
  localities.flatMap(({ endpoints }) => endpoints.filter(isName).map(({ address }) => address));

/** STRICT_DNS: an endpoint for each address; LOGICAL_DNS: one, as long as it has addresses. Each keeps its name as host name. */
function resolved(
  { assignment, logical }: DnsDiscovery,
  viewOf: (name: string) => NameView | undefined,
): LoadAssignment {
  const expand = (endpoint: Endpoint): readonly Endpoint[] => {
    if (!isName(endpoint)) return [endpoint];
    const named = { ...endpoint, hostname: endpoint.hostname ?? endpoint.address };
    const view = viewOf(endpoint.address);
    if (!logical) return (view?.addresses ?? []).map((address) => ({ ...named, address }));
    // Envoy LogicalDnsCluster: an empty answer changes nothing.
    const addresses = view?.lastAddresses ?? [];
    return addresses.length === 0 ? [] : [{ ...named, addresses }];
  };
  const localities = assignment.localities.map((locality) => ({
    ...locality,
    endpoints: locality.endpoints.flatMap(expand),
  }));
  return { ...assignment, localities };
}
