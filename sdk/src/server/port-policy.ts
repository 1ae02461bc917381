import type { Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import type { InboundListener } from '../model/inbound.ts';
import { type InboundMode, listenerOfMode } from './chain.ts';

export interface PolicyTerms {
  /** Where no control plane has a say. */
  readonly fallback: InboundMode;
  /** How long the control plane may stay silent. */
  readonly timeoutMs: number;
  /** What there has to be before a listener is in force. */
  prepare(): Promise<unknown>;
}

/** undefined: it is not served. */
type Waiter = (listener: InboundListener | undefined) => void;

/** How connections to one port are taken, as of now. Until that is known they wait: bounded in number and in time. */
export class PortPolicy {
  readonly #side: ServerSide;
  readonly #terms: PolicyTerms;
  readonly #changed: () => void;
  readonly #waiting = new Set<Waiter>();
  readonly #served: PromiseWithResolvers<InboundListener>[] = [];
  #current: InboundListener | undefined;
  #isFallback = false;
  #refusal: string | undefined;
  #stop: (() => void) | undefined;

  constructor(side: ServerSide, terms: PolicyTerms, changed: () => void) {
    this.#side = side;
    this.#terms = terms;
    this.#changed = changed;
  }

  get current(): InboundListener | undefined {
    return this.#current;
  }

  /** Why nobody is served: the port's listener asks for what is not done here, and no earlier one is in force. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Asks for the port; a second time for nothing. */
  start(address: string, port: number): void {
    if (this.#stop !== undefined) return;
    this.#stop = noop;
    const { fallback, timeoutMs, prepare } = this.#terms;
    const fall = (why: string): void => {
      if (this.#current !== undefined) return;
      const message = `${why} port ${port}: connections are taken as under ${fallback}`;
      if (this.#side.isOn) this.#side.emit({ kind: 'warning', message });
      this.#isFallback = true;
      this.#set(listenerOfMode(fallback, address, port));
    };
    if (!this.#side.isOn) {
      fall('the mesh is off for');
      return;
    }
    const timer: Timer = this.#side.clock.after(timeoutMs, () => {
      if (this.#refusal === undefined) fall('the control plane has said nothing of');
    });
    let unwatch: (() => void) | undefined;
    let isOver = false;
    const watch = (): void => {
      if (isOver) return;
      unwatch = this.#side.watchInbound(address, port, ({ listener, isRefused, reason }) => {
        // A listener that is taken back leaves the last one in force: a control plane that forgets must open no port.
        if (listener !== undefined) {
          this.#isFallback = false;
          this.#set(listener);
        } else if (isRefused) this.#refuse(reason);
        else fall('the control plane knows nothing of');
      });
    };
    prepare().then(watch, (error: unknown) => this.#refuse(String(error)));
    this.#stop = () => {
      isOver = true;
      timer.cancel();
      unwatch?.();
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
    if (this.#current !== undefined || this.#refusal !== undefined) {
      run(this.#current);
      return noop;
    }
    if (this.#waiting.size >= defaultOf('guardWaiting')) return undefined;
    this.#waiting.add(run);
    return () => {
      this.#waiting.delete(run);
    };
  }

  /** However long that takes: what is refused now may be mended. Rejects when the server is closed before. */
  served(): Promise<InboundListener> {
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    const waiter = Promise.withResolvers<InboundListener>();
    this.#served.push(waiter);
    return waiter.promise;
  }

  close(): void {
    this.#stop?.();
    this.#waiting.clear();
    const closed = new MeshError(
      'MESH_NOT_READY',
      'the server was closed before it was known how it takes connections',
    );
    for (const { reject } of this.#served.splice(0)) reject(closed);
  }

  #set(listener: InboundListener): void {
    this.#current = listener;
    this.#refusal = undefined;
    this.#tell();
    for (const { resolve } of this.#served.splice(0)) resolve(listener);
  }

  /** What has been served goes on as it was; what was taken by our own choice does not: a rule is there, and it is not ours. */
  #refuse(reason: string): void {
    if (this.#current !== undefined && !this.#isFallback) return;
    this.#current = undefined;
    this.#refusal = reason;
    this.#tell();
  }

  #tell(): void {
    this.#changed();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const run of waiting) run(this.#current);
  }
}

const noop = (): void => {};
