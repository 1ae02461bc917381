import { type Clock, systemTurn, type Timer, type Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Cluster } from '../model/cluster.ts';
import { ConnectFailure } from './connect-failure.ts';
import type { Connection, ConnectionBreaker } from './connection.ts';
import { type ConnectionWaiter, type DialHost, Lane, type LaneCounts, type Protocol } from './lane.ts';
import { openConnection } from './open-connection.ts';
import { type TlsTarget, tlsKey } from './tls.ts';

export interface ConnectionStats extends LaneCounts {
  /** Dials since the start. */
  readonly dialled: number;
}

/**
 * Connections by host and transport. As in Envoy each upstream has its own hosts and so its own connections. Two
 * transports to one host (a cluster whose TLS settings have changed) never mix, so a call to a host that has become TLS
 * does not go in clear. Breakers (one a priority) have connections of their own, as they are counted apart.
 */
export interface Connections {
  /**
   * An idle connection at once; else undefined, and the waiter is called back when one has been dialled or has become
   * free, never before this returns. Who got one calls its `release` or `close`.
   */
  checkout(waiter: ConnectionWaiter, nowMs?: number): Connection | undefined;
  /** As `checkout`, but always undefined: idle connections are passed over. */
  checkoutFresh(waiter: ConnectionWaiter): undefined;
  /** The waiter wants none any more and is not called back. */
  cancel(waiter: ConnectionWaiter): void;
  /** Closes the idle connections of hosts that are no longer endpoints; those in use close when their request ends. */
  drainRemoved(): void;
  /** No new checkouts; resolves once the calls under way have ended, or have been ended after `graceMs`. */
  closeAll(graceMs?: number): Promise<void>;
  stats(): ConnectionStats;
}

export interface ConnectionsDeps {
  readonly clock: Clock;
  readonly turn?: Turn;
  /** In place of real connections. */
  readonly open?: typeof openConnection;
}

export function createConnections({ clock, turn = systemTurn, open = openConnection }: ConnectionsDeps): Connections {
  const lanesOf = new WeakMap<DialHost, Lane[]>();
  /** Those with a connection, a dial or a waiter. */
  const active = new Set<Lane>();
  /** Lanes whose breaker did not let them dial. */
  const starving = new Map<ConnectionBreaker, Set<Lane>>();
  /** Waiters that are about to be told that they are not let in. */
  const refused = new Set<ConnectionWaiter>();
  let dialled = 0;
  let isClosing = false;
  let onEmpty: (() => void) | undefined;

  const createLane = ({ host, tls, cluster, breaker }: ConnectionWaiter, key: string): Lane =>
    new Lane({
      host,
      tls,
      protocol: protocolOf(cluster, tls),
      breaker,
      key,
      clock,
      isClosing: () => isClosing,
      open(lane, on) {
        dialled++;
        return open(lane, { clock, turn }, on);
      },
      starved(lane) {
        const lanes = starving.get(breaker);
        if (lanes === undefined) starving.set(breaker, new Set([lane]));
        else lanes.add(lane);
      },
      freed() {
        const lanes = starving.get(breaker);
        if (lanes === undefined) return;
        starving.delete(breaker);
        for (const lane of lanes) lane.dialMore();
      },
      changed(lane) {
        if (lane.isEmpty) active.delete(lane);
        else active.add(lane);
        if (active.size === 0) onEmpty?.();
      },
    });

  const addLane = (waiter: ConnectionWaiter, key: string, lanes: readonly Lane[]): Lane => {
    const lane = createLane(waiter, key);
    // What is left of an older transport is not wanted any more.
    for (const other of lanes) if (other.breaker === waiter.breaker) other.closeIdle();
    lanesOf.set(waiter.host, [...lanes.filter((other) => !other.isEmpty), lane]);
    return lane;
  };

  const laneOf = (waiter: ConnectionWaiter): Lane => {
    const lanes = lanesOf.get(waiter.host) ?? NO_LANES;
    const key = keyOf(waiter);
    const lane = laneIn(lanes, key, waiter.breaker) ?? addLane(waiter, key, lanes);
    lane.adopt(waiter.cluster);
    return lane;
  };

  const refuse = (waiter: ConnectionWaiter, failure: ConnectFailure): undefined => {
    refused.add(waiter);
    queueMicrotask(() => {
      if (refused.delete(waiter)) waiter.onConnectFailure(failure);
    });
  };

  const wait = (lane: Lane, waiter: ConnectionWaiter): undefined => {
    if (isClosing) return refuse(waiter, new ConnectFailure('closed', 'the mesh is closed'));
    if (!lane.wait(waiter)) {
      const { name } = waiter.cluster;
      refuse(waiter, new ConnectFailure('overflow', `as many requests to ${name} wait for a connection as may`));
    }
  };

  const closeAll = (graceMs: number): Promise<void> => {
    isClosing = true;
    for (const lane of active) lane.closeIdle();
    if (active.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer: Timer = clock.after(graceMs, () => {
      for (const lane of [...active]) lane.destroy(new ConnectFailure('closed', 'the mesh is closed'));
    });
    onEmpty = () => {
      timer.cancel();
      resolve();
    };
    return promise;
  };

  return {
    checkout(waiter, nowMs = clock.now()) {
      const lane = laneOf(waiter);
      return lane.take(nowMs) ?? wait(lane, waiter);
    },
    checkoutFresh: (waiter) => wait(laneOf(waiter), waiter),
    cancel(waiter) {
      if (!refused.delete(waiter)) laneOf(waiter).cancel(waiter);
    },
    drainRemoved() {
      for (const lane of active) if (lane.host.removed) lane.closeIdle();
    },
    closeAll: (graceMs = defaultOf('closeGraceMs')) => closeAll(graceMs),
    stats() {
      const total = { open: 0, idle: 0, dialling: 0, waiting: 0, dialled };
      for (const { counts } of active) {
        total.open += counts.open;
        total.idle += counts.idle;
        total.dialling += counts.dialling;
        total.waiting += counts.waiting;
      }
      return total;
    },
  };
}

const NO_LANES: readonly Lane[] = [];

function laneIn(lanes: readonly Lane[], key: string, breaker: ConnectionBreaker): Lane | undefined {
  for (const lane of lanes) if (lane.key === key && lane.breaker === breaker) return lane;
  return undefined;
}

const protocolOf = ({ http2, http2IfOffered }: Cluster, tls: TlsTarget | undefined): Protocol =>
  http2 ? 'http2' : http2IfOffered && tls !== undefined ? 'auto' : 'http1';

/** Two waiters with the same text may use the same connections. */
function keyOf({ cluster, tls }: ConnectionWaiter): string {
  const protocol = protocolOf(cluster, tls);
  const transport = tls === undefined ? '' : tlsKey(tls);
  return protocol === 'http1' ? transport : `${protocol}|${transport}`;
}
