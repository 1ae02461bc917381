import type { Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import type { InboundListener } from '../model/inbound.ts';
import { type InboundMode, listenerOfMode } from './chain.ts';

export interface PolicyTerms {
  /** Where no control plane has a say. */
  readonly fallback: InboundMode;
  /** How long the control plane may stay silent. */
  readonly timeoutMs: number;
}

type Waiter = (listener: InboundListener) => void;

/** How connections to one port are taken, as of now. Until that is known they wait: bounded in number and in time. */
export class PortPolicy {
  readonly #side: ServerSide;
  readonly #terms: PolicyTerms;
  readonly #changed: (listener: InboundListener) => void;
  readonly #waiting = new Set<Waiter>();
  #current: InboundListener | undefined;
  #stop: (() => void) | undefined;

  constructor(side: ServerSide, terms: PolicyTerms, changed: (listener: InboundListener) => void) {
    this.#side = side;
    this.#terms = terms;
    this.#changed = changed;
  }

  get current(): InboundListener | undefined {
    return this.#current;
  }

  /** Asks for the port; a second time for nothing. */
  start(address: string, port: number): void {
    if (this.#stop !== undefined) return;
    const { fallback, timeoutMs } = this.#terms;
    const fall = (why: string): void => {
      if (this.#current !== undefined) return;
      const message = `${why} port ${port}: connections are taken as under ${fallback}`;
      if (this.#side.isOn) this.#side.emit({ kind: 'warning', message });
      this.#set(listenerOfMode(fallback, address, port));
    };
    this.#stop = noop;
    if (!this.#side.isOn) {
      fall('the mesh is off for');
      return;
    }
    const timer: Timer = this.#side.clock.after(timeoutMs, () => fall('the control plane has said nothing of'));
    const unwatch = this.#side.watchInbound(address, port, (found) => {
      // A listener that is taken back leaves the last one in force: a control plane that forgets must open no port.
      if (found !== undefined) this.#set(found);
      else fall('the control plane knows nothing of');
    });
    this.#stop = () => {
      timer.cancel();
      unwatch();
    };
  }

  /** Connections are taken as they come. */
  startLocal(): void {
    if (this.#stop !== undefined) return;
    this.#stop = noop;
    this.#set(listenerOfMode('DISABLE', '', 0));
  }

  /** Runs at once where the answer is known. The result takes it back; undefined: too many wait already. */
  whenKnown(run: Waiter): (() => void) | undefined {
    if (this.#current !== undefined) {
      run(this.#current);
      return noop;
    }
    if (this.#waiting.size >= defaultOf('guardWaiting')) return undefined;
    this.#waiting.add(run);
    return () => {
      this.#waiting.delete(run);
    };
  }

  close(): void {
    this.#stop?.();
    this.#waiting.clear();
  }

  #set(listener: InboundListener): void {
    this.#current = listener;
    this.#changed(listener);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const run of waiting) run(listener);
  }
}

const noop = (): void => {};
