import { type Clock, type Random, systemRandom, systemTurn, type Timer, type Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { createNoIdentity } from '../identity/no-identity.ts';
import { NO_SECRETS } from '../identity/secrets.ts';
import { ConnectFailure } from './connect-failure.ts';
import type { Connection, ConnectionBreaker } from './connection.ts';
import { type ConnectionWaiter, type DialHost, Lane, type LaneCounts, type Protocol } from './lane.ts';
import { openConnection } from './open-connection.ts';
import { createSecureTransports, type SecureTransport, type SecureTransports } from './secure-transports.ts';

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
  readonly random?: Random;
  /** Where TLS comes from; without identity and secrets where absent. */
  readonly secure?: SecureTransports;
  /** In place of real connections. */
  readonly open?: typeof openConnection;
}

export function createConnections(deps: ConnectionsDeps): Connections {
  const { clock, turn = systemTurn, random = systemRandom, open = openConnection } = deps;
  const secure =
    deps.secure ?? createSecureTransports({ clock, turn, identity: createNoIdentity(), secrets: NO_SECRETS });
  const lanesOf = new WeakMap<DialHost, Lane[]>();
  /** Those with a connection, a dial or a waiter. */
  const active = new Set<Lane>();
  /** Lanes whose breaker did not let them dial. */
  const starving = new Map<ConnectionBreaker, Set<Lane>>();
  /** Waiters that are about to be told that they are not let in, or that come in once TLS is loaded. */
  const outside = new Set<ConnectionWaiter>();
  let dialled = 0;
  let isClosing = false;
  let onEmpty: (() => void) | undefined;

  const createLane = (waiter: ConnectionWaiter, key: string, tls: Transport): Lane => {
    const { host, breaker } = waiter;
    return new Lane({
      host,
      tls,
      protocol: protocolOf(waiter, tls !== undefined),
      breaker,
      isForced: isForced(waiter),
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
  };

  const addLane = (waiter: ConnectionWaiter, key: string, lanes: readonly Lane[], tls: Transport): Lane => {
    const lane = createLane(waiter, key, tls);
    // What is left of an older transport is not wanted any more.
    for (const other of lanes)
      if (other.breaker === waiter.breaker && other.isForced === lane.isForced) retire(other, tls);
    lanesOf.set(waiter.host, [...lanes.filter((other) => !other.isEmpty), lane]);
    return lane;
  };

  /** Of the same TLS with another certificate they are as good as before: they need not all be made anew in one moment. */
  const retire = (lane: Lane, tls: Transport): void => {
    const isSameBut = tls !== undefined && lane.tls?.settings === tls.settings;
    if (isSameBut) lane.retire(clock.after(random() % defaultOf('identityReplaceMs'), () => lane.closeIdle()));
    else lane.closeIdle();
  };

  /** undefined: there can be none, and the waiter will hear why. */
  const laneOf = (waiter: ConnectionWaiter): Lane | undefined => {
    const tls = transportOf(waiter);
    if (tls instanceof ConnectFailure) return refuse(waiter, tls);
    if (tls === 'loading') return undefined;
    const lanes = lanesOf.get(waiter.host) ?? NO_LANES;
    const key = keyOf(waiter, tls);
    const lane = laneIn(lanes, key, waiter.breaker) ?? addLane(waiter, key, lanes, tls);
    lane.adopt(waiter.cluster);
    return lane;
  };

  const transportOf = (waiter: ConnectionWaiter): Transport | ConnectFailure | 'loading' => {
    const { tls } = waiter;
    if (tls === undefined) return undefined;
    if (secure.isLoaded) return secure.of(tls, protocolOf(waiter, true));
    outside.add(waiter);
    secure.load().then(
      () => enter(waiter),
      (error: unknown) => tellOutside(waiter, new ConnectFailure('tls', 'TLS could not be loaded', error)),
    );
    return 'loading';
  };

  /** Who came while TLS was being loaded. */
  const enter = (waiter: ConnectionWaiter): void => {
    if (!outside.delete(waiter)) return;
    const lane = laneOf(waiter);
    const connection = lane?.take(clock.now());
    if (connection !== undefined) waiter.onConnection(connection);
    else if (lane !== undefined) wait(lane, waiter);
  };

  const tellOutside = (waiter: ConnectionWaiter, failure: ConnectFailure): void => {
    if (outside.delete(waiter)) waiter.onConnectFailure(failure);
  };

  const refuse = (waiter: ConnectionWaiter, failure: ConnectFailure): undefined => {
    outside.add(waiter);
    queueMicrotask(() => tellOutside(waiter, failure));
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
      return lane && (lane.take(nowMs) ?? wait(lane, waiter));
    },
    checkoutFresh(waiter) {
      const lane = laneOf(waiter);
      return lane && wait(lane, waiter);
    },
    cancel(waiter) {
      if (outside.delete(waiter)) return;
      // The identity may be another one by now: it waits where it was let in.
      for (const lane of lanesOf.get(waiter.host) ?? NO_LANES) if (lane.cancel(waiter)) return;
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

type Transport = SecureTransport | undefined;

const protocolOf = ({ cluster: { http2, http2IfOffered }, isGrpc }: Wanted, isTls: boolean): Protocol =>
  http2 || isGrpc ? 'http2' : http2IfOffered && isTls ? 'auto' : 'http1';

type Wanted = Pick<ConnectionWaiter, 'cluster' | 'isGrpc'>;

/** gRPC is HTTP/2 always; other calls of the cluster have connections of their own then. */
const isForced = ({ cluster, isGrpc }: Wanted): boolean => isGrpc === true && !cluster.http2;

/** Two waiters with the same text may use the same connections. */
function keyOf(waiter: ConnectionWaiter, tls: Transport): string {
  const protocol = protocolOf(waiter, tls !== undefined);
  const transport = tls === undefined ? '' : tls.key;
  return protocol === 'http1' ? transport : `${protocol}|${transport}`;
}
