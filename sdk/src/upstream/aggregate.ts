import type { Clock, Random } from '../clock.ts';
import type { ClusterConfig } from '../model/target.ts';
import { Line, type Place } from './aggregate-line.ts';
import { Breaker } from './breaker.ts';
import type { HostView } from './host.ts';
import { noHost, type Pick, type PickFailure } from './pick.ts';
import type { Peek, PickContext, Upstream } from './types.ts';

/** The upstreams of its clusters, which others may use too. */
export interface Members {
  acquire(config: ClusterConfig): Upstream;
  release(upstream: Upstream): void;
  /** Resolves once its names have been looked up. */
  settled(upstream: Upstream): Promise<void>;
}

export interface AggregateDeps extends Members {
  readonly clock: Clock;
  readonly random: Random;
}

const NO_CHANCE: Random = () => 0;

/**
 * A cluster of clusters (Envoy envoy.clusters.aggregate, gRFC A37 and A75): says which of them a request goes to. Each keeps its own
 * hosts, balancing, TLS, limits and ejections. Of the aggregate itself its retry limit counts (Envoy; requests and connections are
 * those of its clusters), and its panic threshold.
 */
export class AggregateUpstream implements Upstream {
  readonly name: string;
  readonly #deps: AggregateDeps;
  #config: ClusterConfig;
  #members: readonly Upstream[] = [];
  #line: Line | undefined;
  readonly #breakers: { readonly default: Breaker; readonly high: Breaker };

  constructor(initial: ClusterConfig, deps: AggregateDeps) {
    const { name, circuitBreakers } = initial.cluster;
    const now = (): number => deps.clock.now();
    this.name = name;
    this.#deps = deps;
    this.#config = initial;
    this.#breakers = {
      default: new Breaker(circuitBreakers.default, false, now),
      high: new Breaker(circuitBreakers.high, false, now),
    };
    this.#adoptMembers(initial);
  }

  config(): ClusterConfig {
    return this.#config;
  }

  update(next: ClusterConfig): void {
    this.#config = next;
    const { circuitBreakers } = next.cluster;
    this.#breakers.default.adopt(circuitBreakers.default, false);
    this.#breakers.high.adopt(circuitBreakers.high, false);
    this.#adoptMembers(next);
  }

  async prepare(): Promise<void> {
    const members = this.#members;
    await Promise.all(members.map((member) => this.#deps.settled(member)));
    await Promise.all(members.map((member) => member.prepare()));
  }

  pick(context: PickContext): Pick | PickFailure {
    return this.#find(context, this.#deps.random, (member, wanted) => member.pick(wanted));
  }

  peek(context: PickContext, random: Random = NO_CHANCE): Peek | PickFailure {
    return this.#find(context, random, (member, wanted) => member.peek(wanted, random));
  }

  members(): readonly Upstream[] {
    return this.#members;
  }

  serving(random: Random): Upstream {
    return this.#current().draw({}, random)?.member ?? this.#members[0] ?? this;
  }

  get needsHash(): boolean {
    return this.#members.some((member) => member.needsHash);
  }

  get needsDestination(): boolean {
    return this.#members.some((member) => member.needsDestination);
  }

  /** Aggregates are flat: no other one asks. */
  levels(): undefined {
    return undefined;
  }

  levelOf({ upstream, host }: Pick): number {
    return this.#current().offsetOf(upstream.name) + host.priority;
  }

  /** Told by the cluster it would have gone to. */
  dropped(): void {}

  hosts(): readonly HostView[] {
    const line = this.#current();
    return this.#members.flatMap((member) =>
      member.hosts().map((host) => ({
        ...host,
        cluster: member.name,
        priority: line.offsetOf(member.name) + host.priority,
      })),
    );
  }

  /** They are told by its clusters. */
  ejections(): readonly never[] {
    return [];
  }

  uneject(address: string): boolean {
    return this.#members.filter((member) => member.uneject(address)).length > 0;
  }

  p95Ms(): number | undefined {
    const member = this.serving(NO_CHANCE);
    return member === this ? undefined : member.p95Ms();
  }

  /** Without a limit of its own, that of the cluster whose turn it is: a storm of retries is nobody's wish. */
  breaker(priority: 'default' | 'high'): Breaker {
    const own = this.#breakers[priority];
    const member = this.serving(NO_CHANCE);
    return own.hasOwnRetryLimit || member === this ? own : member.breaker(priority);
  }

  close(): void {
    for (const member of this.#members) this.#deps.release(member);
    this.#members = [];
    this.#line = undefined;
  }

  #adoptMembers({ members = [] }: ClusterConfig): void {
    const before = this.#members;
    this.#members = members.flatMap(({ state }) => (state.kind === 'ready' ? this.#deps.acquire(state.config) : []));
    this.#line = undefined;
    for (const member of before) this.#deps.release(member);
  }

  #current(): Line {
    if (this.#line?.isCurrent !== true) this.#line = new Line(this.#members, this.#config.cluster.panicThreshold);
    return this.#line;
  }

  #find<T extends Pick | Peek>(
    context: PickContext,
    random: Random,
    ask: (member: Upstream, context: PickContext) => T | PickFailure,
  ): T | PickFailure {
    const { overrideHost, ...others } = context;
    if (overrideHost !== undefined) {
      const found = this.#inSession(context, ask);
      if (found !== undefined || overrideHost.strict)
        return found ?? noHost(`the host of the session is no usable endpoint of ${this.name}`);
    }
    const place = this.#current().draw(context, random);
    const found = place && ask(place.member, contextIn(place, others));
    if (found !== undefined && found.kind !== 'failure') return found;
    // Its turn, and it has nobody: a panic of the others, or their hosts where its first table is still being built.
    const reasons = found === undefined ? [] : [found.reason];
    for (const member of this.#members) {
      if (member === place?.member) continue;
      const other = ask(member, contextIn({ member, others: [] }, others));
      if (other.kind !== 'failure') return other;
      reasons.push(other.reason);
    }
    return noHost(`no cluster of ${this.name} has a host: ${reasons.join('; ') || 'there is none'}`);
  }

  #inSession<T extends Pick | Peek>(
    context: PickContext,
    ask: (member: Upstream, context: PickContext) => T | PickFailure,
  ): T | undefined {
    for (const member of this.#members) {
      const { addresses = [] } = context.overrideHost ?? {};
      const found = ask(member, { overrideHost: { addresses, strict: true } });
      if (found.kind !== 'failure') return found;
    }
    return undefined;
  }
}

/** Its clusters know of their own priorities alone. */
function contextIn({ others }: Place, context: PickContext): PickContext {
  const { triedPriorities: _, priorityUpdateFrequency: __, ...rest } = context;
  return others.length === 0 ? rest : { ...rest, triedPriorities: others, priorityUpdateFrequency: others.length };
}
