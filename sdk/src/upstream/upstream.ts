import { type LoadReport, takeReport, usableWeight } from '../balancer/load-weight.ts';
import { isHashBalancer, NO_HASH } from '../balancer/picker.ts';
import type { Clock, Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Cluster } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { ClusterConfig } from '../model/target.ts';
import {
  assignmentOf,
  countOf,
  hashesHostname,
  isQuicklyMade,
  isSameForPicks,
  NO_ASSIGNMENT,
  whyNone,
} from './assignment.ts';
import { Breaker } from './breaker.ts';
import { type Choice, chooseHost } from './choose.ts';
import { type CheckerOwner, HealthChecker } from './health/checker.ts';
import { overNetwork } from './health/over-network.ts';
import { type HostView, type LiveHost, viewOf } from './host.ts';
import { type HostSet, NO_HOSTS, reconcileHosts } from './host-set.ts';
import { keepsToOne, keepTo } from './kept-host.ts';
import { Latencies } from './latency.ts';
import { loadOverNetwork } from './load/over-network.ts';
import { LoadWatcher } from './load/watcher.ts';
import type { LoadTally, LocalityTally } from './load-tally.ts';
import { atOnce, type Making, Newest } from './newest.ts';
import { OriginalDestinations } from './original-destination.ts';
import { statusOf } from './outlier/counts.ts';
import { type DetectorOwner, OutlierDetector } from './outlier/detector.ts';
import type { Ejection } from './outlier/record.ts';
import { LivePick, noHost, type Outcome, type Pick, type PickFailure, type PickOwner } from './pick.ts';
import { chooseReachable, type OutTest, outTest } from './reachable.ts';
import { SessionHosts } from './session-hosts.ts';
import { type Table, type TableInput, tableAfter } from './table.ts';
import { Tables, type TablesOwner } from './tables.ts';
import type { Levels, Peek, PickContext, Upstream, UpstreamDeps } from './types.ts';
import { Unreachable } from './unreachable.ts';

export const createUpstream = (initial: ClusterConfig, deps: UpstreamDeps): Upstream => new LiveUpstream(initial, deps);

/** undefined: no reports out of band are asked for. */
const reportPeriodOf = ({ loadBalancer }: Cluster): number | undefined =>
  loadBalancer.kind === 'load-weighted' ? loadBalancer.outOfBandMs : undefined;

/** Whatever was dialled: one priority that takes everything. */
const ONE_LEVEL: Levels = {
  health: [{ total: 1, healthy: 1, degraded: 0 }],
  overprovisioningFactor: 100,
  loads: { healthy: [100], degraded: [0], panic: [false] },
};

/** Hosts, old and new ones, up to which they are brought in line and tabled at once: about a millisecond. */
const FEW_HOSTS = 1_000;

const SELECTION_ATTEMPTS = defaultOf('hostSelectionAttempts');

const NO_FAILURES: ReadonlySet<LiveHost> = new Set();

/** Reused from pick to pick: a choice is over when the pick returns. */
const choice: Choice = {
  hash: NO_HASH,
  attempt: 0,
  random: () => 0,
  active: 0,
  nowMs: 0,
  hashed: false,
  take: true,
  stale: false,
};

/** A class: a mesh holds thousands of them, and functions that close over their state would outweigh the hosts. */
class LiveUpstream implements Upstream, PickOwner, TablesOwner, DetectorOwner, CheckerOwner, Making<HostSet> {
  readonly name: string;
  /** Requests under way. */
  active = 0;
  isUsed = false;
  readonly #deps: UpstreamDeps;
  #config: ClusterConfig;
  #hosts: HostSet = NO_HOSTS;
  /** Made with the hosts, when they are first asked for; at once where that would take more than a moment. */
  #tables: Tables | undefined;
  /** The bringing in line of many hosts, which is done in slices; there is none as long as they are few. */
  #reconciling: Newest<HostSet> | undefined;
  #destinations: OriginalDestinations | undefined;
  #breakers: { readonly default: Breaker; readonly high: Breaker } | undefined;
  /** There is none before the first outcome. */
  #detector: OutlierDetector | undefined;
  #checker: HealthChecker | undefined;
  /** Where hosts report their load out of band. */
  #watcher: LoadWatcher | undefined;
  #latencies: Latencies | undefined;
  #tally: LoadTally | undefined;
  #sessions: SessionHosts | undefined;
  /** There is none before a gRPC call has found a host so. */
  #unreachable: Unreachable | undefined;
  #isClosed = false;

  constructor(initial: ClusterConfig, deps: UpstreamDeps) {
    this.name = initial.cluster.name;
    this.#config = initial;
    this.#deps = deps;
    this.#adoptTally(initial);
    if (!isQuicklyMade(initial)) this.#liveTables();
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  get random(): Random {
    return this.#deps.random;
  }

  get emit(): EventSink {
    return this.#deps.emit;
  }

  config(): ClusterConfig {
    return this.#config;
  }

  update(next: ClusterConfig): void {
    const previous = this.#config;
    this.#config = next;
    this.#breakers?.default.adopt(next.cluster.circuitBreakers.default);
    this.#breakers?.high.adopt(next.cluster.circuitBreakers.high);
    this.#adoptOutlierDetection(next);
    this.#adoptHealthChecks(next);
    this.#adoptLoadReports(next);
    this.#adoptTally(next);
    if (this.#tables !== undefined) {
      if (!isSameForPicks(previous, next)) this.#apply(this.#tables);
    } else if (!isQuicklyMade(next)) this.#liveTables();
  }

  async prepare(): Promise<void> {
    // As Envoy, which warms a cluster until each of its hosts has been checked once.
    if (this.#config.cluster.healthChecks !== undefined) {
      this.#liveTables();
      await this.#reconciling?.settled();
      await this.#checker?.checked();
    }
    await this.#reconciling?.settled();
    await this.#tables?.settled();
  }

  pick(context: PickContext): Pick | PickFailure {
    if (!this.isUsed) this.#firstUse();
    choice.take = true;
    choice.random = this.#deps.random;
    const found = this.#find(context);
    if ('kind' in found) return found;
    this.#watching()?.watch(found);
    return new LivePick(found, this);
  }

  peek(context: PickContext, chance: Random = () => 0): Peek | PickFailure {
    choice.take = false;
    choice.random = chance;
    const found = this.#find(context);
    return 'kind' in found ? found : { kind: 'peek', host: found };
  }

  members(): readonly Upstream[] {
    return [this];
  }

  serving(): Upstream {
    return this;
  }

  get needsHash(): boolean {
    return isHashBalancer(this.#config.cluster.loadBalancer);
  }

  get needsDestination(): boolean {
    return this.#config.cluster.discovery.kind === 'original-dst';
  }

  levels(): Levels | undefined {
    return this.needsDestination ? ONE_LEVEL : this.#liveTables().current?.levels;
  }

  levelOf({ host }: Pick): number {
    return host.priority;
  }

  hosts(): readonly HostView[] {
    this.#liveTables();
    const { loadBalancer } = this.#config.cluster;
    if (loadBalancer.kind !== 'load-weighted') return this.#all().map(viewOf);
    const nowMs = this.clock.now();
    return this.#all().map((host) => ({
      ...viewOf(host),
      loadWeight: usableWeight(host.reported, loadBalancer, nowMs),
    }));
  }

  ejections(): readonly Ejection[] {
    return this.#detector?.ejections() ?? [];
  }

  uneject(address: string): boolean {
    return this.#detector?.uneject(address) === true;
  }

  p95Ms(): number | undefined {
    const nowMs = this.clock.now();
    this.#latencies ??= new Latencies(nowMs);
    return this.#latencies.p95(nowMs);
  }

  startMs(): number {
    return this.#latencies === undefined ? 0 : this.clock.now();
  }

  onUnreachable(host: LiveHost): void {
    host.isKept = false;
    this.#unreachable ??= new Unreachable();
    this.#unreachable.failed(host, this.clock.now(), this.#deps.random);
  }

  onConnected(host: LiveHost, isAll: boolean): void {
    this.#unreachable?.connected(host);
    if (keepsToOne(this.#config)) keepTo(host, this.#hosts, this.#config.cluster.localityWeighted);
    this.#detecting()?.onConnected(host, isAll);
  }

  onBegun(startMs: number): void {
    if (startMs === 0) return;
    const nowMs = this.clock.now();
    this.#latencies?.add(nowMs - startMs, nowMs);
  }

  onOutcome(host: LiveHost, outcome: Outcome, startMs: number): void {
    if (startMs > 0 && (statusOf(outcome) ?? 500) < 500) this.onBegun(startMs);
    if (outcome.error === 'connect' && keepsToOne(this.#config)) this.onUnreachable(host);
    this.#detecting()?.onOutcome(host, outcome);
  }

  tallyOf({ locality, priority }: LiveHost): LocalityTally | undefined {
    return this.#tally?.of(locality, priority);
  }

  dropped(category: string): void {
    this.#tally?.drop(category);
  }

  onAnswerReport(host: LiveHost, report: LoadReport): void {
    if (reportPeriodOf(this.#config.cluster) === undefined) this.onReport(host, report);
  }

  onReport(host: LiveHost, report: LoadReport): void {
    const { loadBalancer } = this.#config.cluster;
    if (loadBalancer.kind !== 'load-weighted') return;
    host.reported = takeReport(host.reported, report, loadBalancer, this.clock.now());
  }

  hostCount(): number {
    return this.#destinations === undefined ? this.#hosts.all.length : this.#all().length;
  }

  onHealthy(host: LiveHost): void {
    this.#detector?.onHealthy(host);
  }

  availabilityChanged(): void {
    this.#tables?.rebuild(this.#isSlow());
  }

  breaker(priority: 'default' | 'high'): Breaker {
    if (this.#breakers === undefined) {
      const { circuitBreakers } = this.#config.cluster;
      const now = (): number => this.clock.now();
      this.#breakers = {
        default: new Breaker(circuitBreakers.default, true, now),
        high: new Breaker(circuitBreakers.high, true, now),
      };
    }
    return this.#breakers[priority];
  }

  close(): void {
    this.#isClosed = true;
    this.#reconciling?.close();
    this.#tables?.close();
    this.#detector?.stop();
    this.#checker?.close();
    this.#watcher?.close();
    this.#dropTally();
    for (const host of this.#all()) host.removed = true;
  }

  steps(): Generator<void, HostSet> {
    const assignment = assignmentOf(this.#config) ?? NO_ASSIGNMENT;
    return reconcileHosts(this.#hosts, assignment, {
      useHostname: hashesHostname(this.#config),
      nowMs: this.clock.now(),
    });
  }

  made(hosts: HostSet): void {
    this.#takeHosts(hosts);
    this.#deps.onHostsChanged?.();
  }

  failed(error: unknown): void {
    this.warn(`the endpoints could not be taken, those before stay: ${String(error)}`);
  }

  tableInput(): TableInput {
    const assignment = assignmentOf(this.#config);
    return {
      cluster: this.#config.cluster,
      priorities: this.#hosts.priorities,
      overprovisioningFactor: assignment?.overprovisioningFactor ?? defaultOf('overprovisioning'),
      // A new start for every table: with the same one, frequent updates would favour the host that stands there.
      seed: this.#deps.random(),
      nowMs: this.clock.now(),
      weightedHealth: assignment?.weightedPriorityHealth === true,
    };
  }

  warn(message: string): void {
    this.#deps.emit({ kind: 'warning', message: `cluster ${this.name}: ${message}` });
  }

  #all(): readonly LiveHost[] {
    return this.#destinations === undefined ? this.#hosts.all : [...this.#hosts.all, ...this.#destinations.all()];
  }

  #firstUse(): void {
    this.isUsed = true;
    this.#checker?.onFirstUse();
  }

  #detecting(): OutlierDetector | undefined {
    const { outlierDetection } = this.#config.cluster;
    if (outlierDetection === undefined || this.#isClosed) return undefined;
    this.#detector ??= new OutlierDetector(outlierDetection, this);
    return this.#detector;
  }

  /** Envoy takes one health check a cluster. */
  #checking({ cluster }: ClusterConfig): HealthChecker | undefined {
    const check = cluster.healthChecks?.[0];
    if (check !== undefined)
      this.#checker ??= new HealthChecker(check, cluster, this, this.#deps.probe ?? overNetwork());
    return this.#checker;
  }

  #adoptHealthChecks(config: ClusterConfig): void {
    const check = config.cluster.healthChecks?.[0];
    if (check === undefined) {
      if (this.#checker === undefined) return;
      this.#checker.close();
      this.#checker = undefined;
      this.availabilityChanged();
    } else if (this.#checker !== undefined) this.#checker.adopt(check, config.cluster);
    else if (this.#tables !== undefined) {
      this.#checking(config)?.follow(this.#hosts.all, true);
      this.availabilityChanged();
    }
  }

  #watching(): LoadWatcher | undefined {
    if (this.#watcher !== undefined) return this.#watcher;
    const { cluster } = this.#config;
    const periodMs = reportPeriodOf(cluster);
    if (periodMs === undefined || this.#isClosed) return undefined;
    this.#watcher = new LoadWatcher(cluster, periodMs, this, this.#deps.loadStream ?? loadOverNetwork());
    return this.#watcher;
  }

  #adoptLoadReports({ cluster }: ClusterConfig): void {
    const periodMs = reportPeriodOf(cluster);
    if (periodMs !== undefined) this.#watcher?.adopt(cluster, periodMs);
    else {
      this.#watcher?.close();
      this.#watcher = undefined;
    }
  }

  #adoptTally({ cluster: { name, discovery, reportsLoads } }: ClusterConfig): void {
    const { loads } = this.#deps;
    if (reportsLoads) this.#tally ??= loads?.open(name, discovery.kind === 'eds' ? discovery.serviceName : '');
    else this.#dropTally();
  }

  #dropTally(): void {
    if (this.#tally !== undefined) this.#deps.loads?.close(this.name);
    this.#tally = undefined;
  }

  #adoptOutlierDetection({ cluster: { outlierDetection } }: ClusterConfig): void {
    if (outlierDetection !== undefined) this.#detector?.adopt(outlierDetection);
    else {
      this.#detector?.close();
      this.#detector = undefined;
    }
  }

  #liveTables(): Tables {
    if (this.#tables !== undefined) return this.#tables;
    const tables = new Tables(this);
    this.#tables = tables;
    this.#apply(tables);
    return tables;
  }

  #apply(tables: Tables): void {
    const assignment = assignmentOf(this.#config);
    if (assignment === undefined) tables.rebuild(this.#isSlow());
    else if (this.#reconciling !== undefined || countOf(assignment) + this.#hosts.all.length > FEW_HOSTS) {
      this.#reconciling ??= new Newest(this);
      this.#reconciling.ask(true);
    } else this.#takeHosts(atOnce(this.steps()));
  }

  #takeHosts(hosts: HostSet): void {
    this.#hosts = hosts;
    // A call that began before the end may still pick; its connections are not kept.
    if (this.#isClosed) for (const host of hosts.all) host.removed = true;
    this.#detector?.forgetRemoved();
    this.#unreachable?.forgetRemoved();
    this.#watcher?.forgetRemoved();
    if (!this.#isClosed) this.#checking(this.#config)?.follow(hosts.all);
    this.#tables?.rebuild(this.#isSlow());
  }

  /** Building the table may take more than a moment. */
  #isSlow(): boolean {
    return isHashBalancer(this.#config.cluster.loadBalancer) || this.#hosts.all.length > FEW_HOSTS;
  }

  #find(wanted: PickContext): LiveHost | PickFailure {
    if (this.#config.cluster.discovery.kind === 'original-dst') return this.#dialled(wanted);
    const isPlain = wanted.unreachable !== undefined || !keepsToOne(this.#config);
    const context = isPlain ? wanted : { ...wanted, unreachable: NO_FAILURES };
    const tables = this.#tables ?? this.#liveTables();
    if (tables.current === undefined) return noHost(`the first table of ${this.name} is still being built`);
    const isOut = outTest(context.unreachable, this.#unreachable, this.clock);
    if (context.overrideHost !== undefined) {
      this.#sessions ??= new SessionHosts();
      const { overrideHostStatus } = this.#config.cluster;
      const found = this.#sessions.find(context.overrideHost.addresses, this.#hosts, overrideHostStatus);
      // gRFC A55: where there can be no connection to it, it is as if there were no session.
      if (found !== undefined && (context.overrideHost.strict || !isOut?.(found))) return found;
      if (context.overrideHost.strict) return noHost(`the host of the session is no usable endpoint of ${this.name}`);
    }
    const stale = tables.stale || this.#reconciling?.isRunning === true;
    return this.#choose(tables.current, stale, context, isOut) ?? noHost(whyNone(this.#config, this.#hosts.all.length));
  }

  #dialled({ originalDestination: destination, unreachable }: PickContext): LiveHost | PickFailure {
    if (destination === undefined)
      return noHost(`${this.name} goes to the address that was dialled, and there is none`);
    this.#destinations ??= new OriginalDestinations(defaultOf('originalDestinationHosts'));
    const host = this.#destinations.hostOf(destination, choice.take);
    return unreachable?.has(host) ? noHost(`${this.name} has the address that was dialled alone`) : host;
  }

  #choose(whole: Table, stale: boolean, context: PickContext, isOut: OutTest | undefined): LiveHost | undefined {
    const { hash, exclude, selectionAttempts, triedPriorities, priorityUpdateFrequency = 1 } = context;
    const table = triedPriorities === undefined ? whole : tableAfter(whole, triedPriorities, priorityUpdateFrequency);
    const { loadBalancer } = this.#config.cluster;
    choice.stale = stale;
    choice.hashed = isHashBalancer(loadBalancer);
    choice.active = this.active;
    if ('slowStart' in loadBalancer || loadBalancer.kind === 'load-weighted') choice.nowMs = this.clock.now();
    if (choice.hashed) choice.hash = hash ?? { hi: choice.random(), lo: choice.random() };
    const attempts = selectionAttempts ?? SELECTION_ATTEMPTS;
    if (isOut !== undefined) {
      const reached = chooseReachable(table, choice, isOut, { exclude, attempts });
      // Where all of them take no connections one is tried all the same; a call that has tried one has done so.
      if (reached !== undefined || context.unreachable?.size !== 0) return reached;
    }
    return chooseHost(table, choice, exclude, attempts);
  }
}
