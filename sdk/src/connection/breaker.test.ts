import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Cluster } from '../model/cluster.ts';
import { ConnectFailure } from './connect-failure.ts';
import type { Connection, ConnectionBreaker, PooledConnection } from './connection.ts';
import { type Connections, createConnections } from './connections.ts';
import type { ConnectionWaiter, DialHost, Lane, LaneDialListener } from './lane.ts';
import { clusterOf } from './origin.fixture.ts';

/** Envoy's counting, with a word for every rule it would break. */
class Counting implements ConnectionBreaker {
  readonly maxConnectionsPerHost: number;
  connections = 0;
  pending = 0;
  /** Connections beyond the limit, each the first of its host. */
  firsts = 0;
  readonly #maxConnections: number;
  readonly #maxPending: number;

  constructor(maxConnections: number, maxPending: number, maxConnectionsPerHost = Number.POSITIVE_INFINITY) {
    this.#maxConnections = maxConnections;
    this.#maxPending = maxPending;
    this.maxConnectionsPerHost = maxConnectionsPerHost;
  }
  takeConnection(isFirst: boolean): boolean {
    if (this.connections >= this.#maxConnections) {
      if (!isFirst) return false;
      this.firsts++;
    }
    this.connections++;
    return true;
  }
  giveConnection(): void {
    if (this.connections-- === 0) throw new Error('a connection was given back twice');
  }
  takePending(): boolean {
    if (this.pending >= this.#maxPending) return false;
    this.pending++;
    return true;
  }
  givePending(): void {
    if (this.pending-- === 0) throw new Error('a pending slot was given back twice');
  }
}

/** A connection of nothing: it is what the test says. */
class Paper implements Connection, PooledConnection {
  readonly endpoint = 'paper';
  isReady = false;
  isReused = false;
  leased = 0;
  isClosed = false;
  isDraining = false;
  readonly capacity: number;
  readonly #lane: Lane;

  constructor(lane: Lane, capacity: number) {
    this.#lane = lane;
    this.capacity = capacity;
  }
  get hasRoom(): boolean {
    return !this.isClosed && !this.isDraining && this.leased < this.capacity;
  }
  lease(): Connection {
    if (!this.hasRoom) throw new Error('there is no room');
    this.leased++;
    return this;
  }
  dispatch(): void {}
  readHead(): string[] {
    return [];
  }
  release(): void {
    if (this.isClosed) return;
    this.leased--;
    if (this.isDraining && this.leased === 0) this.close();
    else this.#lane.returned(this);
  }
  isUsable(): boolean {
    return !this.isClosed && !this.isDraining;
  }
  untilMs(): number {
    return Number.POSITIVE_INFINITY;
  }
  park(): void {}
  drain(): void {
    this.isDraining = true;
    if (this.leased === 0) this.close();
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.#lane.closed(this));
  }
}

interface Dialling {
  readonly lane: Lane;
  readonly on: LaneDialListener;
}

class Waiter implements ConnectionWaiter {
  readonly host: DialHost;
  readonly cluster: Cluster;
  readonly tls = undefined;
  readonly breaker: ConnectionBreaker;
  connection: Paper | undefined;
  failure: ConnectFailure | undefined;
  isCancelled = false;

  constructor(host: DialHost, breaker: ConnectionBreaker, cluster: Cluster) {
    this.host = host;
    this.breaker = breaker;
    this.cluster = cluster;
  }
  get isSettled(): boolean {
    return this.connection !== undefined || this.failure !== undefined;
  }
  onConnection(connection: Connection): void {
    if (this.isSettled || this.isCancelled) throw new Error('called twice, or after cancelling');
    this.connection = connection as Paper;
  }
  onConnectFailure(failure: ConnectFailure): void {
    if (this.isSettled || this.isCancelled) throw new Error('called twice, or after cancelling');
    this.failure = failure;
  }
}

interface World {
  readonly connections: Connections;
  readonly dials: Dialling[];
  readonly papers: Paper[];
  ask(host: DialHost): Waiter;
  connect(at?: number): void;
  fail(at?: number): void;
}

function createWorld(breaker: ConnectionBreaker, capacity = 1): World {
  const dials: Dialling[] = [];
  const papers: Paper[] = [];
  const cluster = clusterOf(capacity > 1 ? { http2: true, http2Options: { maxConcurrentStreams: capacity } } : {});
  const connections = createConnections({
    clock: systemClock,
    open(lane, _, on) {
      const dialling = { lane, on };
      dials.push(dialling);
      return { cancel: () => dials.splice(dials.indexOf(dialling), 1), unref() {} };
    },
  });
  return {
    connections,
    dials,
    papers,
    ask(host) {
      const waiter = new Waiter(host, breaker, cluster);
      const connection = connections.checkout(waiter);
      if (connection !== undefined) waiter.onConnection(connection);
      return waiter;
    },
    connect(at = 0) {
      const [dialling] = dials.splice(at, 1);
      if (dialling === undefined) return;
      const paper = new Paper(dialling.lane, capacity);
      papers.push(paper);
      dialling.on.connected(paper);
    },
    fail(at = 0) {
      const [dialling] = dials.splice(at, 1);
      dialling?.on.failed(new ConnectFailure('unreachable', 'connect error: Connection refused'));
    },
  };
}

const hostAt = (port: number): DialHost => ({ address: '10.0.0.1', port, removed: false });
const HOST = hostAt(9);
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('max_pending_requests', () => {
  it('counts a request whose connection is still being made; the next one overflows', async () => {
    const breaker = new Counting(1, 1);
    const world = createWorld(breaker);
    const host = hostAt(1);
    const asked = Array.from({ length: 5 }, () => world.ask(host));
    await settle();
    expect(asked.map(({ failure }) => failure?.kind)).toEqual([
      undefined,
      'overflow',
      'overflow',
      'overflow',
      'overflow',
    ]);
    world.connect();
    expect(asked[0]?.connection).toBe(world.papers[0]);
    expect(breaker).toMatchObject({ connections: 1, pending: 0 });
  });

  it('lets one wait while the only connection is busy', async () => {
    const world = createWorld(new Counting(1, 1));
    const host = hostAt(1);
    const first = world.ask(host);
    world.connect();
    const [second, third] = [world.ask(host), world.ask(host)];
    await settle();
    expect(third.failure?.kind).toBe('overflow');
    expect(world.dials).toHaveLength(0);
    first.connection?.release();
    expect(second.connection).toBe(world.papers[0]);
  });

  it('0 refuses every request without a connection', async () => {
    const world = createWorld(new Counting(10, 0));
    const one = world.ask(hostAt(1));
    await settle();
    expect(one.failure?.kind).toBe('overflow');
    expect(world.dials).toHaveLength(0);
  });

  it('does not call back who has cancelled in the same turn', async () => {
    const world = createWorld(new Counting(10, 0));
    const one = world.ask(hostAt(1));
    one.isCancelled = true;
    world.connections.cancel(one);
    await settle();
    expect(one.failure).toBeUndefined();
  });
});

describe('max_connections', () => {
  it('lets a host without a connection have one, also with 0', () => {
    const breaker = new Counting(0, 10);
    const world = createWorld(breaker);
    world.ask(hostAt(1));
    world.ask(HOST);
    world.ask(HOST);
    expect(world.dials).toHaveLength(2);
    expect(breaker.firsts).toBe(2);
  });

  it('lets a host dial for those who wait when a connection elsewhere is closed', async () => {
    const breaker = new Counting(2, 10);
    const world = createWorld(breaker);
    const busy = world.ask(hostAt(1));
    world.connect();
    const [held, waiting] = [world.ask(HOST), world.ask(HOST)];
    world.connect();
    expect(held.connection).toBeDefined();
    expect(world.dials).toHaveLength(0);
    busy.connection?.close();
    await settle();
    expect(world.dials).toHaveLength(1);
    world.connect();
    expect(waiting.connection).toBeDefined();
    expect(breaker.connections).toBe(2);
  });

  it('dials anew for those who wait when the only connection is closed', async () => {
    const world = createWorld(new Counting(1, 10));
    const host = hostAt(1);
    const one = world.ask(host);
    world.connect();
    const two = world.ask(host);
    one.connection?.close();
    await settle();
    world.connect();
    expect(two.connection).toBeDefined();
  });

  it('is counted for each host, too, where per_host_thresholds says so', () => {
    const world = createWorld(new Counting(10, 10, 2));
    for (let i = 0; i < 5; i++) world.ask(HOST);
    expect(world.dials).toHaveLength(2);
  });
});

describe('HTTP/2', () => {
  it('dials one connection for as many as it will carry', () => {
    const world = createWorld(new Counting(10, 100), 4);
    const asked = Array.from({ length: 6 }, () => world.ask(HOST));
    expect(world.dials).toHaveLength(2);
    world.connect();
    expect(asked.filter(({ connection }) => connection !== undefined)).toHaveLength(4);
    world.connect();
    expect(asked.every(({ connection }) => connection !== undefined)).toBe(true);
    expect(world.ask(HOST).connection).toBe(world.papers[1]);
  });

  it('a failed dial fails all it was for', () => {
    const world = createWorld(new Counting(10, 100), 4);
    const asked = Array.from({ length: 6 }, () => world.ask(HOST));
    world.fail();
    expect(asked.map(({ failure }) => failure?.kind)).toEqual([
      'unreachable',
      'unreachable',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('whatever happens, in whatever order', () => {
  const step = fc.record({
    kind: fc.constantFrom('ask', 'ask', 'ask', 'cancel', 'release', 'release', 'close', 'drain', 'connect', 'fail'),
    at: fc.nat(20),
  });

  it('no limit is exceeded, everything is given back, nobody waits for ever', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ connections: fc.nat(4), pending: fc.nat(6), perHost: fc.integer({ min: 1, max: 3 }) }),
        fc.constantFrom(1, 3),
        fc.array(step, { maxLength: 80 }),
        async (limits, capacity, steps) => {
          const breaker = new Counting(limits.connections, limits.pending, limits.perHost);
          const world = createWorld(breaker, capacity);
          const hosts = [hostAt(1), hostAt(2), hostAt(3)];
          const asked: Waiter[] = [];
          const leased = (): Waiter[] => asked.filter(({ connection }) => connection !== undefined);
          const waiting = (): Waiter[] => asked.filter((it) => !it.isSettled && !it.isCancelled);
          const drop = (waiter: Waiter): void => void asked.splice(asked.indexOf(waiter), 1);
          for (const { kind, at } of steps) {
            const someone = leased()[at % (leased().length || 1)];
            if (kind === 'ask') asked.push(world.ask(hosts[at % 3] ?? HOST));
            else if (kind === 'connect') world.connect(at % (world.dials.length || 1));
            else if (kind === 'fail') world.fail(at % (world.dials.length || 1));
            else if (kind === 'drain') world.papers[at % (world.papers.length || 1)]?.drain();
            else if (kind === 'cancel') {
              const one = waiting()[at % (waiting().length || 1)];
              if (one !== undefined) {
                one.isCancelled = true;
                world.connections.cancel(one);
              }
            } else if (someone !== undefined) {
              drop(someone);
              if (kind === 'release') someone.connection?.release();
              else {
                for (const other of leased()) if (other.connection === someone.connection) drop(other);
                someone.connection?.close();
              }
            }
            await settle();
            const open = world.papers.filter(({ isClosed }) => !isClosed).length;
            expect(breaker.connections).toBe(open + world.dials.length);
            expect(breaker.connections).toBeLessThanOrEqual(limits.connections + hosts.length);
            expect(breaker.pending).toBe(waiting().length);
            expect(breaker.pending).toBeLessThanOrEqual(limits.pending);
          }
          // Left alone, every dial succeeds and every request ends: so everybody is served.
          for (let round = 0; round < 400 && (waiting().length > 0 || leased().length > 0); round++) {
            world.connect();
            const one = leased()[0];
            if (one !== undefined) {
              drop(one);
              one.connection?.release();
            }
            await settle();
          }
          expect(waiting()).toHaveLength(0);
          while (world.dials.length > 0) world.fail();
          await world.connections.closeAll(0);
          await settle();
          expect(breaker).toMatchObject({ connections: 0, pending: 0 });
          expect(world.connections.stats()).toMatchObject({ open: 0, waiting: 0, dialling: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });
});
