import { createHash } from 'node:crypto';
import { type Clock, holdProcess, systemClock } from '@inmesh/sdk/internal/clock';
import type { AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { type AdminServer, listenAdmin } from './admin/admin-server.ts';
import { type ClientView, clientView, type LimitsOf } from './admin/clients.ts';
import { csdsDoor } from './admin/csds-door.ts';
import { ControlPlaneMetrics } from './admin/metrics.ts';
import { adminPages } from './admin/pages.ts';
import { defaultOf } from './defaults.ts';
import { createAccess, OWN_SECRET } from './discovery/access.ts';
import { AdsService } from './discovery/ads-service.ts';
import type { ClientIdentity } from './discovery/client-identity.ts';
import type { AdsServer } from './discovery/grpc-server.ts';
import { createInProcessTransport } from './discovery/in-process.ts';
import { createOwnSecrets, type LiveSecrets } from './discovery/own-secrets.ts';
import type { RegisteredWorkload, RegistrationTarget } from './discovery/registrations.ts';
import { createAddressOwners } from './embedded/address-owners.ts';
import { type AdminSubjectParts, adminSubject, clientStatusSubject } from './embedded/admin-subject.ts';
import type { Listening, ListenOptions, WorkloadIdentity, XdsServer, XdsServerOptions } from './embedded/api.ts';
import { createChangeLines } from './embedded/changes.ts';
import { Doors } from './embedded/doors.ts';
import { endpointOrigin } from './embedded/endpoint-origin.ts';
import { MeshIdentity } from './embedded/identity.ts';
import { createLoads, type Loads } from './embedded/loads.ts';
import { podLabels, podLookupOf } from './embedded/pod-lookup.ts';
import { ProblemBook } from './embedded/problems.ts';
import { streamEvents } from './embedded/stream-events.ts';
import { ttlsOf } from './embedded/ttls.ts';
import type { Workload } from './registry/read-model.ts';
import { registrationEvent, registrationKey } from './registry/registration.ts';
import { createRegistry } from './registry/registry.ts';
import type { ChangeEvent, Problem, Source } from './schema/types.ts';
import type { EncodedResource, Hash } from './snapshot/encoded-resource.ts';
import { createFederation, type Federation } from './snapshot/federation.ts';
import type { Lookup } from './snapshot/lookup.ts';
import { isRevisionBehind } from './snapshot/revision.ts';
import { createSnapshots, type Snapshots } from './snapshot/snapshots.ts';
import { ENDPOINT_TYPE, SECRET_TYPE } from './translate/resource-types.ts';
import type { View } from './translate/view.ts';

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
  readonly #identity: MeshIdentity;
  readonly #secrets: LiveSecrets | undefined;
  readonly #loads: Loads | undefined;
  readonly #doors: Doors;
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

  constructor(options: XdsServerOptions) {
    const { source, authorities = [''], retryAttempts = 'retries', plaintext = false, clock = systemClock } = options;
    const { ca = {}, authentication = {}, resourceTtlMs = {}, loadReportingIntervalMs } = options;
    this.#source = source;
    this.#federation = createFederation({ authorities, hash });
    this.#snapshots = createSnapshots({
      registry: this.#registry,
      clock,
      hash,
      retryAttempts,
      plaintext,
      loadReportingIntervalMs,
      failed: (message) => this.#problems.tell(message),
    });
    this.#identity = new MeshIdentity({
      ca: ca === false || plaintext ? undefined : ca,
      authentication,
      pods: podLookupOf(this.#registry),
      clock,
      trustDomain: () => this.#snapshots.mesh().trustDomain,
      setTrustBundle: (bundle) => this.#snapshots.setTrustBundle(bundle),
      problem: (message) => this.#problems.tell(message),
    });
    this.#secrets = this.#identity.hasCa ? this.#createSecrets(clock) : undefined;
    this.#service = this.#createService(clock, ttlsOf(resourceTtlMs));
    const problem = (message: string): void => this.#problems.tell(message);
    const { metrics, service, identity } = { metrics: this.#metrics, service: this.#service, identity: this.#identity };
    const sessions = () => service.sessions;
    this.#loads = createLoads({ clock, federation: this.#federation, sessions }, loadReportingIntervalMs);
    this.#doors = new Doors({ service, identity, metrics, problem, clock, loads: this.#loads?.service });
    this.#registry.onPodsChange(() => this.#service.podsChanged());
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

  transport(workload?: WorkloadIdentity): AdsTransport {
    // A source that cannot be read ends the streams; whoever awaits `start` hears why.
    this.start().catch(() => {});
    if (workload === undefined) return createInProcessTransport(this.#service);
    const principal = this.#identity.inProcess(workload.namespace, workload.serviceAccount ?? 'default');
    const { hasCa, certify } = this.#identity;
    return createInProcessTransport(this.#service, { principal, ...(hasCa && { certify }) });
  }

  async token(
    { namespace, serviceAccount = 'default' }: WorkloadIdentity,
    ttlMs = defaultOf('tokenMs'),
  ): Promise<string> {
    await this.start();
    return (await this.#identity.tokens()).mint({ namespace, serviceAccount, ttlMs });
  }

  async roots(): Promise<readonly string[]> {
    await this.start();
    return (await this.#identity.authority()).bundle().roots;
  }

  async listen(options: ListenOptions = {}): Promise<Listening> {
    const { xds, secure, admin, serverNames = [], publicPlaintext = false } = options;
    await this.start();
    const open: (AdsServer | AdminServer)[] = [];
    const opened = <T extends AdsServer | AdminServer>(port: T): T => {
      open.push(port);
      return port;
    };
    try {
      // First what takes longer: who comes back to an open port is not to come back to half a control plane.
      const tls = secure === undefined ? undefined : opened(await this.#doors.openSecure(secure, serverNames));
      const plain = xds === undefined ? undefined : opened(await this.#doors.openPlain(xds, publicPlaintext));
      const pages = admin === undefined ? undefined : opened(await this.#listenAdmin(admin));
      if (plain !== undefined || tls !== undefined) this.#service.reachable();
      this.#ports.push(...open);
      return { xds: plain?.address ?? '', secure: tls?.address ?? '', admin: pages?.address ?? '' };
    } catch (error) {
      await Promise.all(open.map((port) => port.close(0)));
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
    const views = this.#service.sessions.map((session) =>
      clientView(session, this.#service.isWaiting(session), this.#limitsOf),
    );
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
      refusals: () => this.#doors.refusals.last,
      services: () => this.summary().services,
      loads: () => this.#loads?.report(),
      limitsOf: this.#limitsOf,
      resource: (view, typeUrl, name) => this.#resource(view, typeUrl, name),
    };
    return listenAdmin(address, adminPages(adminSubject(parts)), csdsDoor(clientStatusSubject(parts)));
  }

  async #close(): Promise<void> {
    this.#isReady = false;
    this.#source.close();
    this.#service.close();
    this.#loads?.service.close();
    this.#snapshots.close();
    this.#secrets?.close();
    this.#identity.close();
    await Promise.all(this.#ports.splice(0).map((port) => port.close(defaultOf('drainMs'))));
  }

  #apply(events: readonly ChangeEvent[]): void {
    const lines = this.#changes.take(events);
    this.#snapshots.apply(events);
    if (!this.#isReady) return;
    for (const listener of [...this.#changeListeners]) for (const line of lines) listener(line);
  }

  #createService(clock: Clock, ttlsMs: ReadonlyMap<string, number>): AdsService {
    const access = createAccess({
      secrets: this.#secrets,
      isAnothers: createAddressOwners(this.#registry, () => this.#snapshots.current().revision),
      denied: (...what) => this.#doors.denied(...what),
    });
    const secretsWait = (identity: ClientIdentity, typeUrl: string) =>
      typeUrl === SECRET_TYPE ? this.#secrets?.waits(identity) : undefined;
    return new AdsService({
      clock,
      ready: this.#ready.promise,
      lookup: (identity, typeUrl) => {
        const served = this.#snapshots.lookup(identity.view, typeUrl);
        return this.#federation.lookup(typeUrl, access.lookup(identity, typeUrl, served));
      },
      podLabels: ({ principal }) => podLabels(this.#registry, principal),
      absence: (identity, typeUrl, name) => {
        const plain = this.#federation.plainName(typeUrl, name);
        if (plain === undefined) return this.#federation.fault(typeUrl, name);
        return access.refusal(identity, typeUrl, plain);
      },
      ttlsMs,
      waits: secretsWait,
      revision: () => this.#snapshots.current().revision,
      registrations: this.#registrations(),
      isBehind: (seen) => isRevisionBehind(this.#snapshots.current().revision, seen),
      endpointOrigin: (assignment) =>
        endpointOrigin(this.#registry, this.#federation.plainName(ENDPOINT_TYPE, assignment) ?? ''),
      on: streamEvents(this.#metrics, this.#problems),
    });
  }

  #createSecrets(clock: Clock): LiveSecrets {
    return createOwnSecrets({
      authority: () => this.#identity.authority(),
      clock,
      hash,
      changed: () => this.#service.pushType(SECRET_TYPE),
      failed: (message) => this.#problems.tell(message),
      isAsked: (nodeId, principal) =>
        this.#service.sessions.some(
          ({ identity, names }) =>
            identity?.id === nodeId &&
            identity.peer.principal?.namespace === principal.namespace &&
            identity.peer.principal.serviceAccount === principal.serviceAccount &&
            names.get(SECRET_TYPE)?.includes(OWN_SECRET),
        ),
    });
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

  readonly #limitsOf: LimitsOf = ({ identity }, typeUrl, name) => {
    const plain = this.#federation.plainName(typeUrl, name);
    if (identity === undefined || plain === undefined) return [];
    return this.#snapshots.limits(identity.view, typeUrl, plain);
  };

  /** For people: no dump shows what a secret is. */
  #resource(view: View, typeUrl: string, name: string): EncodedResource | undefined {
    if (typeUrl === SECRET_TYPE) return undefined;
    const plain: Lookup = (one) => this.#snapshots.current().resource(view, typeUrl, one);
    return this.#federation.lookup(typeUrl, plain)(name);
  }
}
