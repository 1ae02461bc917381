import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { EventSink } from '../model/events.ts';
import type { InboundListener } from '../model/inbound.ts';
import { type AnyListener, isInbound, listenerType } from '../resource/listener/listener.ts';
import { InboundRoutes } from './inbound-routes.ts';
import { TlsParts, type TlsSources } from './tls-parts.ts';

/** What is known of one port; `settled`: the control plane has answered. */
export interface InboundState {
  readonly isSettled: boolean;
  /** undefined: nothing usable has come, for this reason. */
  readonly listener: InboundListener | undefined;
  readonly reason: string;
  /** There is one, and it cannot be served as it says: the port must not be served as if it were not there (gRFC A36). */
  readonly isRefused?: boolean;
}

/** Told of each change. */
export type InboundWatcher = (state: InboundState) => void;

/** The ports of this process, as the control plane wants their connections taken. */
export interface Inbound {
  /** The state now; asks for the port when it is new, and as long as somebody watches it. */
  lookup(address: string, port: number): InboundState;
  /** Told at once (though not from inside) what is known already. Returns its end. */
  watch(address: string, port: number, watcher: InboundWatcher): () => void;
  close(): void;
}

export interface InboundParts {
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly tls?: TlsSources;
  /** gRFC A36 server_listener_resource_name_template, filled in with `address:port`. */
  readonly listenerName: (at: string) => string;
}

const PENDING: InboundState = { isSettled: false, listener: undefined, reason: 'no configuration has come' };

export function createInbound(parts: InboundParts): Inbound {
  const ports = new Map<string, PortWatch>();
  const portAt = (address: string, port: number): PortWatch => {
    const at = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    const known = ports.get(at) ?? new PortWatch(parts.listenerName(at), { address, port }, parts);
    ports.set(at, known);
    return known;
  };
  return {
    lookup: (address, port) => portAt(address, port).state,
    watch(address, port, watcher) {
      const watched = portAt(address, port);
      const own: InboundWatcher = (state) => watcher(state);
      watched.watchers.add(own);
      queueMicrotask(() => {
        if (watched.state.isSettled && watched.watchers.has(own)) own(watched.state);
      });
      return () => {
        watched.watchers.delete(own);
      };
    },
    close() {
      for (const port of ports.values()) port.close();
      ports.clear();
    },
  };
}

interface Place {
  readonly address: string;
  readonly port: number;
}

/** `0.0.0.0` and `::` are all interfaces, and which of them is asked for is the platform's choice. */
const isSameAddress = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase() || [one, other].every((each) => each === '0.0.0.0' || each === '::');

/** A listener that is taken back or spoiled leaves the last one in force: a control plane that forgets must open no port. */
class PortWatch implements ResourceWatcher<AnyListener> {
  readonly watchers = new Set<InboundWatcher>();
  state = PENDING;
  readonly #name: string;
  readonly #place: Place;
  readonly #parts: InboundParts;
  #tls: TlsParts | undefined;
  /** The newest, which may still wait for its secrets. */
  #newest: InboundListener | undefined;
  /** What is in force, without its routes. */
  #joined: InboundListener | undefined;
  readonly #routes: InboundRoutes;
  #late: Timer | undefined;
  #isLate = false;

  constructor(name: string, { address, port }: Place, parts: InboundParts) {
    this.#name = name;
    this.#place = { address, port };
    this.#parts = parts;
    this.#routes = new InboundRoutes(parts.discovery, (missing) => {
      if (missing !== undefined) parts.emit({ kind: 'warning', message: `listener ${name}: ${missing}` });
      this.#advance();
    });
    parts.discovery.subscribe(listenerType, name, this);
  }

  onResource(value: AnyListener): void {
    if (!isInbound(value)) {
      this.onError('it is a client’s: it has an API listener, and no address (gRFC A36)');
      return;
    }
    // gRFC A36: a listener for another place would put its rules on this one.
    const { address, port } = this.#place;
    if (value.port !== port || !isSameAddress(value.address, address)) {
      this.onError(`it is for ${value.address}, port ${value.port}; ${address}, port ${port} was asked for (gRFC A36)`);
      return;
    }
    this.#newest = value;
    this.#advance();
  }

  onAbsent(reason: string): void {
    this.#miss(reason);
  }

  onError(reason: string): void {
    this.#parts.emit({ kind: 'warning', message: `listener ${this.#name}: ${reason}` });
    this.#miss(reason, true);
  }

  close(): void {
    this.#tls?.close();
    this.#routes.close();
    this.#late?.cancel();
    this.watchers.clear();
    this.#parts.discovery.unsubscribe(listenerType, this.#name, this);
  }

  #miss(reason: string, isRefused = false): void {
    if (this.state.listener === undefined && this.#newest === undefined) {
      this.#become({ isSettled: true, listener: undefined, reason, isRefused });
    }
  }

  /** In force once the secrets and routes it names have come, or have had their time. The identity is the server's own to wait for. */
  #advance(): void {
    const listener = this.#newest;
    if (listener === undefined) return;
    this.#routes.want([listener, this.#joined]);
    if (!this.#isWarm(listener)) return;
    this.#late?.cancel();
    this.#late = undefined;
    this.#isLate = false;
    this.#joined = listener;
    this.#routes.want([listener]);
    const joined = this.#routes.join(listener);
    if (joined !== this.state.listener) this.#become({ isSettled: true, listener: joined, reason: '' });
  }

  #isWarm(listener: InboundListener): boolean {
    const { tls, clock } = this.#parts;
    const ends = listener.chains.flatMap((chain) => chain.tls ?? []);
    if (tls !== undefined && (ends.length > 0 || this.#tls !== undefined)) {
      this.#tls ??= new TlsParts({ ...tls, identity: undefined }, clock, () => this.#advance());
      this.#tls.want(ends, ends);
      if (!this.#tls.isWarm) return false;
    }
    if (this.#isLate || !this.#routes.isWaiting(listener)) return true;
    this.#late ??= clock.after(defaultOf('warmTimeoutMs'), () => {
      this.#isLate = true;
      this.#advance();
    });
    return false;
  }

  #become(state: InboundState): void {
    this.state = state;
    for (const watcher of [...this.watchers]) watcher(state);
  }
}
