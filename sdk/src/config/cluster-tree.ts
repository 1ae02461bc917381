import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { ClusterConfig, ClusterMember, ClusterState } from '../model/target.ts';
import { afterSockets } from '../wire/late-timer.ts';

/** Levels from an aggregate to the last of its clusters, both counted (gRFC A37). */
const DEEPEST = 16;

/** A cluster that never comes is passed over before who waits for the aggregate gives all of it up. */
const WAIT_MS = defaultOf('warmTimeoutMs') / 2;

/** The clusters an aggregate is made of. */
export interface TreeOwner {
  readonly clock: Clock;
  readonly name: string;
  /** Holds a cluster by itself, without what it is made of. */
  holdNode(name: string, tree: ClusterTree): void;
  releaseNode(name: string, tree: ClusterTree): void;
  /** By itself; undefined: not known yet. */
  nodeState(name: string): ClusterState | undefined;
  /** The tree may have another state. */
  treeChanged(): void;
}

interface Walk {
  /** In order, each once: where it comes first. */
  readonly members: Map<string, ClusterState>;
  readonly held: Set<string>;
  readonly missing: string[];
  isTooDeep: boolean;
}

/**
 * An aggregate with all it names, down to the clusters that are none themselves. It holds every one of them itself, so that
 * aggregates that name each other hold nobody for ever.
 */
export class ClusterTree {
  state: ClusterState | undefined;
  readonly #owner: TreeOwner;
  readonly #config: ClusterConfig;
  #held: ReadonlySet<string> = new Set();
  #isWalking = false;
  #due: Timer | undefined;
  /** Those that have had their time. */
  #late: ReadonlySet<string> = new Set();

  constructor(config: ClusterConfig, owner: TreeOwner, before: ClusterState | undefined) {
    this.#config = config;
    this.#owner = owner;
    this.state = before;
  }

  /** The aggregate itself, as it was given. */
  get config(): ClusterConfig {
    return this.#config;
  }

  nodeChanged(): void {
    // What is told while clusters are asked for is read when they have been.
    if (!this.#isWalking) this.#owner.treeChanged();
  }

  /** Brings the state up to date. */
  walk(): void {
    const walk: Walk = { members: new Map(), held: new Set(), missing: [], isTooDeep: false };
    this.#isWalking = true;
    this.#visit(this.#config.cluster.name, [], walk);
    this.#isWalking = false;
    for (const name of this.#held) if (!walk.held.has(name)) this.#owner.releaseNode(name, this);
    this.#held = walk.held;
    if (!this.#isWaiting(walk)) this.#become(walk);
  }

  close(): void {
    this.#due?.cancel();
    for (const name of this.#held) this.#owner.releaseNode(name, this);
    this.#held = new Set();
  }

  #visit(name: string, path: readonly string[], walk: Walk): void {
    if (path.length >= DEEPEST) {
      walk.isTooDeep = true;
      return;
    }
    if (path.includes(name)) {
      if (walk.members.has(name)) return;
      walk.members.set(name, failed(`it is part of itself (${[...path.slice(path.indexOf(name)), name].join(' > ')})`));
      return;
    }
    const state = path.length === 0 ? ROOT : this.#node(name, walk);
    if (state === undefined || walk.members.has(name)) return;
    const discovery = state === ROOT ? this.#config.cluster.discovery : discoveryOf(state);
    if (discovery?.kind !== 'aggregate') walk.members.set(name, state);
    else for (const next of discovery.clusters) this.#visit(next, [...path, name], walk);
  }

  /** undefined: there is nothing to say of it, now or again. */
  #node(name: string, walk: Walk): ClusterState | undefined {
    const isNew = !walk.held.has(name);
    walk.held.add(name);
    if (isNew && !this.#held.has(name)) this.#owner.holdNode(name, this);
    const state = this.#owner.nodeState(name);
    // An aggregate that comes twice brings nothing new the second time.
    if (!isNew && state !== undefined && discoveryOf(state)?.kind === 'aggregate') return undefined;
    if (state !== undefined) return state;
    if (this.#late.has(name)) return failed(`nothing came about it within ${WAIT_MS / 1000} s`);
    walk.missing.push(name);
    return undefined;
  }

  /** Bounded: one silent name must not hold up the others for ever. */
  #isWaiting({ missing }: Walk): boolean {
    if (missing.length === 0) {
      this.#due?.cancel();
      this.#due = undefined;
      return false;
    }
    this.#due ??= afterSockets(this.#owner.clock, WAIT_MS, () => {
      this.#due = undefined;
      this.#late = new Set([...this.#held].filter((name) => this.#owner.nodeState(name) === undefined));
      this.#owner.treeChanged();
    });
    return true;
  }

  #become({ members, isTooDeep }: Walk): void {
    const list = [...members].map(([name, state]): ClusterMember => ({ name, state }));
    const { name } = this.#config.cluster;
    if (isTooDeep) this.#fail(`${name} is made of more than ${DEEPEST} levels of clusters`);
    else if (list.every(({ state }) => state.kind === 'failed')) {
      const reasons = list.map((member) => `${member.name}: ${reasonOf(member.state)}`);
      this.#fail(`none of the clusters of ${name} can be used: ${reasons.join('; ')}`);
    } else if (this.state?.kind !== 'ready' || !isSame(this.state.config, this.#config, list)) {
      this.state = { kind: 'ready', config: { ...this.#config, members: list } };
    }
  }

  #fail(reason: string): void {
    if (this.state?.kind !== 'failed' || this.state.reason !== reason) this.state = failed(reason);
  }
}

const failed = (reason: string): ClusterState => ({ kind: 'failed', reason });

const ROOT = failed('');

const discoveryOf = (state: ClusterState) => (state.kind === 'ready' ? state.config.cluster.discovery : undefined);

const reasonOf = (state: ClusterState): string => (state.kind === 'failed' ? state.reason : '');

function isSame(before: ClusterConfig, { cluster }: ClusterConfig, list: readonly ClusterMember[]): boolean {
  const { members = [] } = before;
  const isKept = ({ name, state }: ClusterMember, index: number): boolean =>
    members[index]?.name === name && isSameState(members[index]?.state, state);
  return before.cluster === cluster && members.length === list.length && list.every(isKept);
}

/** What is made here is made anew each time. */
const isSameState = (one: ClusterState | undefined, other: ClusterState): boolean =>
  one === other || (one?.kind === 'failed' && other.kind === 'failed' && one.reason === other.reason);
