import type { Clock } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import { createGraph, type Input } from '../graph/graph.ts';
import type { Registry } from '../registry/registry.ts';
import { byPosition } from '../schema/problem.ts';
import type { ChangeEvent, ObjectKey, Problem } from '../schema/types.ts';
import type { Limit } from '../translate/limit/limits.ts';
import type { MeshOptions, MeshSettings } from '../translate/mesh-settings.ts';
import { sameRelevance } from '../translate/relevance.ts';
import { ROUTE_TYPE } from '../translate/resource-types.ts';
import { createRules, type Rules } from '../translate/rules.ts';
import type { TrustBundle } from '../translate/tls/mesh-roots.ts';
import type { Relevance, View } from '../translate/view.ts';
import { CLUSTER_DOMAIN } from '../translate/world.ts';
import type { EncodedResource, Hash } from './encoded-resource.ts';
import { createFindings } from './findings.ts';
import { createLookup, type Lookup } from './lookup.ts';
import { createMembership } from './membership.ts';
import { createQuietTime, type QuietTime, type Urgency } from './quiet-time.ts';
import { createResources, type Resources } from './resources.ts';
import { createRevision } from './revision.ts';
import { createRouteHolds, type RouteHolds } from './route-holds.ts';
import { createWorldCells, type WorldCells } from './world-cells.ts';

/**
 * What the control plane serves at one time. Every resource it gives is an immutable value. A name that is first asked of
 * it after a newer snapshot came is answered as of the newer one: a push that is still under way never goes back in time.
 */
interface Snapshot {
  /** `SEQUENCE-TIME-CONTENT`: grows with each snapshot, and ends in what replicas agree on (`isRevisionBehind`). */
  readonly revision: string;
  /** undefined: it does not exist for this client. `view` may carry all of the client's labels. */
  resource(view: View, typeUrl: string, name: string): EncodedResource | undefined;
}

export interface Snapshots {
  /** Takes changes in their order; they are served after their quiet time, the very first ones at once. */
  apply(events: readonly ChangeEvent[]): void;
  current(): Snapshot;
  /** The same answers as `current().resource`, always the newest, for a client that asks for the same names again and again. */
  lookup(view: View, typeUrl: string): Lookup;
  /** What of a route configuration or a cluster will not happen as written at a gRPC client, which `view.client` names. */
  limits(view: View, typeUrl: string, name: string): readonly Limit[];
  /** Called when answers may differ, and after every change of configuration. */
  onChange(listener: (snapshot: Snapshot, urgency: Urgency) => void): () => void;
  /** What is the same for the whole mesh, as it is served. */
  mesh(): MeshSettings;
  /** What the control plane's CA signs with; undefined: there is none. Served at once. */
  setTrustBundle(bundle: TrustBundle | undefined): void;
  /** Serves at once what waits for its quiet time. */
  flush(): void;
  /** What the registry and translation say about what is served, in the order of files. */
  problems(): readonly Problem[];
  close(): void;
}

export interface SnapshotsDeps extends MeshOptions {
  /** Changed by this alone from now on. */
  readonly registry: Registry;
  readonly clock: Clock;
  readonly hash: Hash;
  /** Hears of a resource that could not be made (an object no schema has checked); it reads as one that does not exist. */
  readonly failed?: (message: string) => void;
}

/** Kinds that say where something runs; everything else says how it is called. */
const ENDPOINT_KINDS: ReadonlySet<string> = new Set(['Pod', 'Endpoints', 'EndpointSlice', 'WorkloadEntry']);

export const createSnapshots = (deps: SnapshotsDeps): Snapshots => new LiveSnapshots(deps);

class LiveSnapshots implements Snapshots {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #membership = createMembership();
  readonly #rules: Rules;
  readonly #graph = createGraph();
  readonly #cells: WorldCells;
  readonly #resources: Resources;
  readonly #findings: () => readonly Problem[];
  readonly #relevance: Input<Relevance>;
  /** As it was before the last change: the keys of all clients may have been others. */
  #formerRelevance: Relevance;
  readonly #revision = createRevision();
  readonly #holds: RouteHolds;
  readonly #quietTime: QuietTime;
  readonly #listeners = new Set<(snapshot: Snapshot, urgency: Urgency) => void>();
  readonly #waiting: Readonly<Record<Urgency, ChangeEvent[]>> = { endpoints: [], configuration: [] };
  #snapshot: Snapshot;
  #sequence = 0;
  #swept: { readonly at: number; readonly revision: number };

  constructor({ registry, clock, hash, failed = () => {}, ...options }: SnapshotsDeps) {
    this.#registry = registry;
    this.#clock = clock;
    this.#rules = createRules(CLUSTER_DOMAIN, options);
    this.#cells = createWorldCells(this.#graph, { registry, rules: this.#rules, clusterDomain: CLUSTER_DOMAIN });
    this.#resources = createResources(this.#graph, { cells: this.#cells, hash, failed });
    this.#findings = createFindings(this.#graph, this.#cells, this.#rules);
    this.#relevance = this.#graph.input('relevance', this.#rules.relevance(), sameRelevance);
    this.#formerRelevance = this.#relevance.get();
    this.#holds = createRouteHolds(clock, () => this.#publish('configuration'));
    this.#quietTime = createQuietTime(clock, (urgency) => this.#serve(urgency));
    this.#swept = { at: clock.now(), revision: 0 };
    this.#snapshot = this.#newSnapshot();
  }

  apply(events: readonly ChangeEvent[]): void {
    const urgencies = new Set<Urgency>();
    for (const event of events) {
      const urgency = urgencyOf(event);
      this.#waiting[urgency].push(event);
      urgencies.add(urgency);
    }
    // Before the first changes nothing is served that could be torn.
    if (this.#sequence === 1) this.#serve('configuration');
    else for (const urgency of urgencies) this.#quietTime.note(urgency);
  }

  current(): Snapshot {
    return this.#snapshot;
  }

  lookup(view: View, typeUrl: string): Lookup {
    return createLookup({
      cell: (name) => this.#resources.cell(view, typeUrl, name, this.#relevance.get()),
      served: (name) => this.#resource(view, typeUrl, name),
      isPlain: () => this.#holds.isEmpty(),
      relevance: () => this.#relevance.get(),
      generation: () => this.#swept.at,
    });
  }

  limits(view: View, typeUrl: string, name: string): readonly Limit[] {
    return this.#resources.limits(view, typeUrl, name, this.#relevance.get());
  }

  onChange(listener: (snapshot: Snapshot, urgency: Urgency) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  mesh(): MeshSettings {
    return this.#cells.mesh.get();
  }

  setTrustBundle(bundle: TrustBundle | undefined): void {
    const before = this.#graph.revision();
    this.#cells.trustBundle.set(bundle);
    // Before the first changes nobody was told anything.
    if (this.#graph.revision() !== before && this.#sequence > 1) this.#publish('configuration');
  }

  flush(): void {
    this.#serve('configuration');
  }

  problems(): readonly Problem[] {
    return [...this.#registry.problems(), ...this.#findings()].sort(byPosition);
  }

  close(): void {
    this.#quietTime.close();
    this.#holds.close();
    this.#listeners.clear();
  }

  #serve(urgency: Urgency): void {
    const { endpoints, configuration } = this.#waiting;
    const before = this.#graph.revision();
    const events = [...endpoints.splice(0), ...(urgency === 'configuration' ? configuration.splice(0) : [])];
    const services = this.#take(events);
    this.#collectUnused();
    // A process may have made a service, or taken its last one away: that is configuration, whoever brought it.
    if (urgency === 'configuration' || services) this.#publish('configuration');
    // Endpoints that no answer was ever made from concern nobody; configuration may at least have new problems.
    else if (this.#graph.revision() === before) this.#snapshot = this.#newSnapshot();
    else this.#publish(urgency);
  }

  /** Says whether services came, went or changed. */
  #take(arrived: readonly ChangeEvent[]): boolean {
    const events = this.#membership.apply(arrived);
    const changes = this.#registry.apply(events);
    this.#cells.registryChanged(changes);
    let rulesChanged = false;
    for (const event of events) {
      this.#revision.apply(event, this.#clock.wallTime());
      for (const changes of this.#rules.apply(event)) {
        rulesChanged = true;
        this.#cells.rulesChanged(changes);
      }
      this.#cells.objectChanged(keyOf(event));
    }
    const meshChanged = this.#cells.mesh.get() !== this.#rules.mesh();
    if (meshChanged) this.#cells.meshChanged();
    if (rulesChanged || meshChanged) this.#readLabels();
    return changes.services.size > 0;
  }

  #readLabels(): void {
    const before = this.#relevance.get();
    this.#relevance.set(this.#rules.relevance());
    if (this.#relevance.get() !== before) this.#formerRelevance = before;
  }

  #publish(urgency: Urgency): void {
    this.#snapshot = this.#newSnapshot();
    for (const listener of [...this.#listeners]) listener(this.#snapshot, urgency);
  }

  #newSnapshot(): Snapshot {
    this.#sequence += 1;
    return {
      revision: `${this.#sequence}-${this.#revision.text()}`,
      resource: (view, typeUrl, name) => this.#resource(view, typeUrl, name),
    };
  }

  #resource(view: View, typeUrl: string, name: string): EncodedResource | undefined {
    const key = this.#resources.key(view, typeUrl, name, this.#relevance.get());
    if (typeUrl !== ROUTE_TYPE) return this.#resources.get(typeUrl, key);
    this.#holds.adopt(key, () => this.#resources.key(view, typeUrl, name, this.#formerRelevance));
    const exists = (cluster: string): boolean => this.#resources.clusterExists(key, cluster);
    return this.#holds.choose(key, this.#resources.route(key), exists)?.resource;
  }

  /** Bytes are held while they are asked for, and a while longer. */
  #collectUnused(): void {
    const now = this.#clock.now();
    if (now - this.#swept.at < defaultOf('unusedResourceMs')) return;
    this.#graph.collect(this.#swept.revision);
    this.#holds.sweep((key) => this.#resources.has(ROUTE_TYPE, key));
    this.#swept = { at: now, revision: this.#graph.revision() };
  }
}

const keyOf = (event: ChangeEvent): ObjectKey => (event.kind === 'upsert' ? event.object.key : event.key);

const urgencyOf = (event: ChangeEvent): Urgency =>
  ENDPOINT_KINDS.has(keyOf(event).split('/')[0] ?? '') ? 'endpoints' : 'configuration';
