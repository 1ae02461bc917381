import { createHash } from 'node:crypto';
import { type Clock, holdProcess, systemClock } from '@inmesh/sdk/internal/clock';
import type { AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { type AdminServer, listenAdmin } from './admin/admin-server.ts';
import { type ClientView, clientView } from './admin/clients.ts';
import { csdsDoor } from './admin/csds-door.ts';
import { ControlPlaneMetrics } from './admin/metrics.ts';
import { adminPages } from './admin/pages.ts';
import { defaultOf } from './defaults.ts';
import { AdsService } from './discovery/ads-service.ts';
import { type AdsServer, listenAds } from './discovery/grpc-server.ts';
import { createInProcessTransport } from './discovery/in-process.ts';
import type { RegisteredWorkload, RegistrationTarget } from './discovery/registrations.ts';
import { type AdminSubjectParts, adminSubject, clientStatusSubject } from './embedded/admin-subject.ts';
import { createChangeLines } from './embedded/changes.ts';
import { endpointOrigin } from './embedded/endpoint-origin.ts';
import { ProblemBook } from './embedded/problems.ts';
import type { Workload } from './registry/read-model.ts';
import { registrationEvent, registrationKey } from './registry/registration.ts';
import { createRegistry } from './registry/registry.ts';
import type { ChangeEvent, Problem, Source } from './schema/types.ts';
import type { EncodedResource, Hash } from './snapshot/encoded-resource.ts';
import { createFederation, type Federation } from './snapshot/federation.ts';
import type { Lookup } from './snapshot/lookup.ts';
import { isRevisionBehind } from './snapshot/revision.ts';
import { createSnapshots, type Snapshots } from './snapshot/snapshots.ts';
import type { RetryAttempts } from './translate/mesh-settings.ts';
import { ENDPOINT_TYPE } from './translate/resource-types.ts';
import type { View } from './translate/view.ts';

/** What a control plane is made of. */
export interface XdsServerOptions {
  /** Where its configuration comes from: `watchFiles(folder)`, `memorySource(yaml)` or one of your own. */
  readonly source: Source;
  /**
   * Authorities of xdstp names (gRFC A47) that are served: `xdstp://AUTHORITY/TYPE/NAME` is what the plain NAME is. Where none
   * are given only the empty one, `xdstp:///TYPE/NAME`.
   */
  readonly authorities?: readonly string[];
  /**
   * What `attempts: N` of a retry policy means: N retries after the first call, as Istio's API reference has it (`retries`, the
   * default), or N calls with it.
   */
  readonly retryAttempts?: RetryAttempts;
  /** The time by which it waits; the system's where none is given. */
  readonly clock?: Clock;
}

/** Addresses to listen on: `host:port` (port 0 chooses a free one) or `unix:PATH`. */
export interface ListenOptions {
  /** ADS, plaintext: keep it on loopback or a unix socket. */
  readonly xds?: string;
  /** Health, metrics, clients, problems; loopback and unix sockets only. */
  readonly admin?: string;
}

/** Where it listens; empty where nothing was asked for. */
export interface Listening {
  readonly xds: string;
  readonly admin: string;
}

/** A control plane inside this process. */
export interface XdsServer {
  /** Resolves when the source has been read once and can be served. Rejects when it cannot be read at all. */
  start(): Promise<void>;
  /** Reaches this control plane without a port: for `createMesh({ transport })` in the same process. Implies `start`. */
  transport(): AdsTransport;
  /** Opens ports. Implies `start`; rejects when an address cannot be had. */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Hears every error and warning once, in one line with file and line: those that stand, then new ones; and what clients reject. */
  onProblem(listener: (text: string) => void): () => void;
  /** Every error, warning and note of the moment, in the order of files. */
  problems(): readonly Problem[];
  /** Hears one line for each change of an object after the start. */
  onChange(listener: (text: string) => void): () => void;
  /** How much is loaded. */
  summary(): { readonly objects: number; readonly services: number };
  /** A workload that the configuration knows or that registered itself. */
  workload(namespace: string, name: string): Workload | undefined;
  /** Who is connected and what they said to the last response of each type. */
  clients(): readonly ClientView[];
  /**
   * Looks at the source again and resolves once everything seen is served and every connected client has answered it. Waits
   * at most 5 s: a client that never answers does not hold it for ever.
   */
  settled(): Promise<void>;
  /** No new streams; open ones end UNAVAILABLE, so clients keep what they have and look for another server. */
  close(): Promise<void>;
}

/** 128 bits name the content of a resource: the same on every replica. */
const hash: Hash = (bytes) => createHash('sha256').update(bytes).digest('base64url').slice(0, 22);

/** Makes a control plane. Nothing is read and no port is open before `start`, `transport` or `listen`. */
export function createXdsServer(options: XdsServerOptions): XdsServer {
  return new EmbeddedServer(options);
}

class EmbeddedServer implements XdsServer {
  readonly #source: Source;
  readonly #registry = createRegistry();
  readonly #snapshots: Snapshots;
  readonly #federation: Federation;
  readonly #service: AdsService;
  readonly #metrics = new ControlPlaneMetrics();
  readonly #changes = createChangeLines();
  readonly #problems = new ProblemBook();
  readonly #changeListeners = new Set<(text: string) => void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #ports: (AdsServer | AdminServer)[] = [];
  #sourceProblems: readonly Problem[] = [];
  #started: Promise<void> | undefined;
  #isReady = false;
  #closed: Promise<void> | undefined;

  constructor({ source, authorities = [''], retryAttempts = 'retries', clock = systemClock }: XdsServerOptions) {
    this.#source = source;
    this.#federation = createFederation({ authorities, hash });
    this.#snapshots = createSnapshots({
      registry: this.#registry,
      clock,
      hash,
      retryAttempts,
      failed: (message) => this.#problems.tell(message),
    });
    this.#service = new AdsService({
      clock,
      ready: this.#ready.promise,
      lookup: ({ view }, typeUrl) => this.#federation.lookup(typeUrl, this.#snapshots.lookup(view, typeUrl)),
      revision: () => this.#snapshots.current().revision,
      registrations: this.#registrations(),
      isBehind: (seen) => isRevisionBehind(this.#snapshots.current().revision, seen),
      endpointOrigin: (assignment) =>
        endpointOrigin(this.#registry, this.#federation.plainName(ENDPOINT_TYPE, assignment) ?? ''),
      on: {
        opened: () => this.#metrics.opened(),
        closed: () => this.#metrics.closed(),
        throttled: () => {
          this.#metrics.throttled++;
        },
        refusedNames: (count) => {
          this.#metrics.refusedNames += count;
        },
        pushed: (durationMs) => this.#metrics.pushed(durationMs),
        warning: (message) => this.#problems.tell(message),
        answered: (session, typeUrl, status) => {
          this.#metrics.answered(typeUrl, status.kind === 'NACK');
          if (status.kind === 'NACK')
            this.#problems.tell(`${session.identity?.id} rejects ${typeUrl}: ${status.reason}`);
        },
      },
    });
    this.#snapshots.onChange((_snapshot, urgency) => {
      this.#service.push();
      // After the push, which waits for its turn too.
      if (urgency === 'configuration') setImmediate(() => this.#renewProblems());
    });
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  transport(): AdsTransport {
    // A source that cannot be read ends the streams; whoever awaits `start` hears why.
    this.start().catch(() => {});
    return createInProcessTransport(this.#service);
  }

  async listen({ xds, admin }: ListenOptions = {}): Promise<Listening> {
    await this.start();
    const ads = xds === undefined ? undefined : await listenAds(this.#service, xds);
    try {
      const pages = admin === undefined ? undefined : await this.#listenAdmin(admin);
      if (ads !== undefined) this.#service.reachable();
      this.#ports.push(...[ads, pages].filter((port) => port !== undefined));
      return { xds: ads?.address ?? '', admin: pages?.address ?? '' };
    } catch (error) {
      await ads?.close(0);
      throw error;
    }
  }

  onProblem(listener: (text: string) => void): () => void {
    return this.#problems.listen(listener);
  }

  problems(): readonly Problem[] {
    this.#renewProblems();
    return this.#problems.current;
  }

  onChange(listener: (text: string) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  summary(): { readonly objects: number; readonly services: number } {
    return { objects: this.#changes.objects(), services: this.#registry.hostnames().length };
  }

  workload(namespace: string, name: string): Workload | undefined {
    return this.#registry.workload(namespace, name);
  }

  clients(): readonly ClientView[] {
    const views = this.#service.sessions.map((session) => clientView(session, this.#service.isWaiting(session)));
    return views.filter((view) => view !== undefined);
  }

  async settled(): Promise<void> {
    const hold = holdProcess();
    try {
      await this.start();
      await this.#source.refresh?.();
      this.#snapshots.flush();
      await this.#service.settled();
    } finally {
      hold.cancel();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #start(): Promise<void> {
    try {
      await this.#source.start({
        change: (events) => this.#apply(events),
        problems: (list) => {
          this.#sourceProblems = list;
          if (this.#isReady) this.#renewProblems();
        },
      });
      this.#snapshots.flush();
      this.#renewProblems();
      this.#isReady = true;
    } catch (error) {
      this.#service.close('the configuration cannot be read');
      throw error;
    } finally {
      this.#ready.resolve();
    }
  }

  #listenAdmin(address: string): Promise<AdminServer> {
    const parts: AdminSubjectParts = {
      service: this.#service,
      metrics: this.#metrics,
      isReady: () => this.#isReady,
      clients: () => this.clients(),
      problems: () => this.problems(),
      services: () => this.summary().services,
      resource: (view, typeUrl, name) => this.#resource(view, typeUrl, name),
    };
    return listenAdmin(address, adminPages(adminSubject(parts)), csdsDoor(clientStatusSubject(parts)));
  }

  async #close(): Promise<void> {
    this.#isReady = false;
    this.#source.close();
    this.#service.close();
    this.#snapshots.close();
    await Promise.all(this.#ports.splice(0).map((port) => port.close(defaultOf('drainMs'))));
  }

  #apply(events: readonly ChangeEvent[]): void {
    const lines = this.#changes.take(events);
    this.#snapshots.apply(events);
    if (!this.#isReady) return;
    for (const listener of [...this.#changeListeners]) for (const line of lines) listener(line);
  }

  #registrations(): RegistrationTarget {
    const eventOf = ({ locality: { region, zone, subZone }, ...rest }: RegisteredWorkload): ChangeEvent =>
      registrationEvent({ ...rest, ...(region !== '' && { locality: [region, zone, subZone].join('/') }) });
    return {
      register: (workload) => this.#apply([eventOf(workload)]),
      unregister: ({ uid, namespace }) => this.#apply([{ kind: 'delete', key: registrationKey(uid, namespace) }]),
    };
  }

  #renewProblems(): void {
    this.#problems.set([...this.#sourceProblems, ...this.#snapshots.problems()]);
  }

  #resource(view: View, typeUrl: string, name: string): EncodedResource | undefined {
    const plain: Lookup = (one) => this.#snapshots.current().resource(view, typeUrl, one);
    return this.#federation.lookup(typeUrl, plain)(name);
  }
}
