import { type Clock, systemTurn, type Timer, type Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { ConnectFailure } from './connect-failure.ts';
import type { Connection } from './connection.ts';
import { type ConnectionWaiter, type DialHost, Lane, type LaneCounts } from './lane.ts';
import { openConnection } from './open-connection.ts';
import { type TlsTarget, tlsKey } from './tls.ts';

export interface ConnectionStats extends LaneCounts {
  /** Dials since the start. */
  readonly dialled: number;
}

/**
 * Connections by host and transport. As in Envoy each upstream has its own hosts and so its own connections. Two
 * transports to one host (a cluster whose TLS settings have changed) never mix, so a call to a host that has become TLS
 * does not go in clear.
 */
export interface Connections {
  /**
   * An idle connection at once; else undefined, and the waiter is called back when one has been dialled or has become
   * free, never before this returns. Who got one calls its `release` or `close`.
   */
  checkout(waiter: ConnectionWaiter): Connection | undefined;
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
}

export function createConnections({ clock, turn = systemTurn }: ConnectionsDeps): Connections {
  const lanesOf = new WeakMap<DialHost, Lane[]>();
  /** Those with a connection, a dial or a waiter. */
  const active = new Set<Lane>();
  let dialled = 0;
  let isClosing = false;
  let onEmpty: (() => void) | undefined;

  const createLane = (host: DialHost, tls: TlsTarget | undefined, key: string): Lane =>
    new Lane({
      host,
      tls,
      key,
      isClosing: () => isClosing,
      open(lane, on) {
        dialled++;
        return openConnection(lane, { clock, turn }, on);
      },
      changed(lane) {
        if (lane.isEmpty) active.delete(lane);
        else active.add(lane);
        if (active.size === 0) onEmpty?.();
      },
    });

  const laneOf = ({ host, tls, cluster }: ConnectionWaiter): Lane => {
    const key = tls === undefined ? '' : tlsKey(tls);
    let lanes = lanesOf.get(host);
    if (lanes === undefined) {
      lanes = [];
      lanesOf.set(host, lanes);
    }
    let lane = lanes.find((candidate) => candidate.key === key);
    if (lane === undefined) {
      lane = createLane(host, tls, key);
      // What is left of an older transport is not wanted any more.
      for (const other of lanes) other.closeIdle();
      lanes = lanes.filter((other) => !other.isEmpty);
      lanesOf.set(host, [...lanes, lane]);
    }
    lane.adopt(cluster);
    return lane;
  };

  const wait = (lane: Lane, waiter: ConnectionWaiter): undefined => {
    if (isClosing) {
      queueMicrotask(() => waiter.onConnectFailure(new ConnectFailure('closed', 'the mesh is closed')));
      return;
    }
    lane.wait(waiter);
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
    checkout(waiter) {
      const lane = laneOf(waiter);
      return lane.take(clock.now()) ?? wait(lane, waiter);
    },
    checkoutFresh: (waiter) => wait(laneOf(waiter), waiter),
    cancel: (waiter) => laneOf(waiter).cancel(waiter),
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
