import type { Clock } from '../clock.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { EventSink } from '../model/events.ts';
import type { InboundListener } from '../model/inbound.ts';
import { type AnyListener, isInbound, listenerType } from '../resource/listener/listener.ts';
import { TlsParts, type TlsSources } from './tls-parts.ts';

/** What is known of one port; `settled`: the control plane has answered. */
export interface InboundState {
  readonly isSettled: boolean;
  /** undefined: nothing usable has come, for this reason. */
  readonly listener: InboundListener | undefined;
  readonly reason: string;
}

/** Told of each change; undefined: the control plane knows nothing of the port. */
export type InboundWatcher = (found: InboundListener | undefined) => void;

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
    const known = ports.get(at) ?? new PortWatch(parts.listenerName(at), port, parts);
    ports.set(at, known);
    return known;
  };
  return {
    lookup: (address, port) => portAt(address, port).state,
    watch(address, port, watcher) {
      const watched = portAt(address, port);
      const own: InboundWatcher = (found) => watcher(found);
      watched.watchers.add(own);
      queueMicrotask(() => {
        if (watched.state.isSettled && watched.watchers.has(own)) own(watched.state.listener);
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

/** A listener that is taken back or spoiled leaves the last one in force: a control plane that forgets must open no port. */
class PortWatch implements ResourceWatcher<AnyListener> {
  readonly watchers = new Set<InboundWatcher>();
  state = PENDING;
  readonly #name: string;
  readonly #port: number;
  readonly #parts: InboundParts;
  #tls: TlsParts | undefined;
  /** The newest, which may still wait for its secrets. */
  #newest: InboundListener | undefined;

  constructor(name: string, port: number, parts: InboundParts) {
    this.#name = name;
    this.#port = port;
    this.#parts = parts;
    parts.discovery.subscribe(listenerType, name, this);
  }

  onResource(value: AnyListener): void {
    if (!isInbound(value)) {
      this.onError('it is a client’s: it has an API listener, and no address (gRFC A36)');
      return;
    }
    // gRFC A36: a listener for another port would put its rules on this one.
    if (value.port !== this.#port) {
      this.onError(`it is for port ${value.port}, ${this.#port} was asked for (gRFC A36)`);
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
    this.#miss(reason);
  }

  close(): void {
    this.#tls?.close();
    this.watchers.clear();
    this.#parts.discovery.unsubscribe(listenerType, this.#name, this);
  }

  #miss(reason: string): void {
    if (this.state.listener === undefined && this.#newest === undefined) {
      this.#become({ isSettled: true, listener: undefined, reason });
    }
  }

  /** In force once the secrets it names have come, or have had their time. The identity is the server's own to wait for. */
  #advance(): void {
    const listener = this.#newest;
    if (listener === undefined || listener === this.state.listener) return;
    const { tls, clock } = this.#parts;
    const ends = listener.chains.flatMap((chain) => chain.tls ?? []);
    if (tls !== undefined && (ends.length > 0 || this.#tls !== undefined)) {
      this.#tls ??= new TlsParts({ ...tls, identity: undefined }, clock, () => this.#advance());
      this.#tls.want(ends, ends);
      if (!this.#tls.isWarm) return;
    }
    this.#become({ isSettled: true, listener, reason: '' });
  }

  #become(state: InboundState): void {
    this.state = state;
    for (const watcher of [...this.watchers]) watcher(state.listener);
  }
}
