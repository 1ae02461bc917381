import net, { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Turn } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { patientTimer } from '../wire/late-timer.ts';
import { ConnectFailure, classifyConnectError } from './connect-failure.ts';
import { type Attempting, connectFirst, type FirstAddressListener } from './first-address.ts';
import type { SecureTransport } from './secure-transports.ts';

/** How a host is reached where that is not TCP to its address: as a stream of a tunnel (HBONE). TLS of the target goes inside. */
export interface Reach {
  /** Exactly one of the listener's two, unless cancelled first; a socket does all that those of `node:net` do. */
  open(to: { readonly address: string; readonly port: number }, on: FirstAddressListener): Attempting;
}

export interface DialTarget {
  /** IP literal, host name or `unix:PATH`. */
  readonly address: string;
  readonly port: number;
  /** What the name stands for, where that is known already. */
  readonly addresses?: readonly string[] | undefined;
  readonly reach?: Reach | undefined;
  /** TLS with this peer; plain where undefined. */
  readonly tls: SecureTransport | undefined;
  readonly timeoutMs: number;
  /** Idle time before TCP asks whether the peer is there. */
  readonly keepAliveMs?: number | undefined;
}

/** Exactly one of the two, unless the dial is cancelled first; never before `dial` has returned. */
export interface DialListener {
  connected(socket: Socket): void;
  failed(failure: ConnectFailure): void;
}

export interface Dial {
  /** Closes the half-open connection at once; nothing is called any more. */
  cancel(): void;
  /** Nobody waits for it any more: the process may end. */
  unref(): void;
}

/** Opens a connection: the host's name, TCP (to the first of its addresses that answers) or a unix socket, then TLS. */
export function dial(target: DialTarget, deps: { clock: Clock; turn: Turn }, on: DialListener): Dial {
  const dialling = new Dialling(target, deps, on);
  dialling.start();
  return dialling;
}

class Dialling implements Dial {
  readonly #target: DialTarget;
  readonly #deps: { readonly clock: Clock; readonly turn: Turn };
  readonly #on: DialListener;
  #timer: { cancel(): void } | undefined;
  /** What is under way now. */
  #step: { cancel(): void; unref(): void } | undefined;
  #isOver = false;
  #isRefd = true;

  constructor(target: DialTarget, deps: { readonly clock: Clock; readonly turn: Turn }, on: DialListener) {
    this.#target = target;
    this.#deps = deps;
    this.#on = on;
  }

  start(): void {
    const { timeoutMs, addresses, address, port, reach } = this.#target;
    this.#timer = patientTimer(this.#deps, timeoutMs, () =>
      this.#fail(new ConnectFailure('timeout', `no connection within ${timeoutMs} ms`)),
    );
    try {
      if (reach !== undefined) this.#try((on) => reach.open({ address, port }, on));
      else if (addresses !== undefined) this.#race(addresses);
      else if (address.startsWith(UNIX)) this.#open(net.connect({ path: address.slice(UNIX.length) }));
      else if (isIP(address) !== 0) this.#open(net.connect({ host: address, port }));
      else this.#lookUp(address);
    } catch (error) {
      // Such as a port out of range.
      queueMicrotask(() => this.#fail(classifyConnectError(error, false)));
    }
  }

  cancel(): void {
    if (this.#settle()) this.#step?.cancel();
  }

  unref(): void {
    this.#isRefd = false;
    this.#step?.unref();
  }

  #lookUp(name: string): void {
    const { lookup } = process.getBuiltinModule('node:dns');
    lookup(name, { all: true }, (error, answers) => {
      if (this.#isOver) return;
      if (error !== null) this.#fail(classifyConnectError(error, false));
      else this.#race(answers.map(({ address }) => address));
    });
  }

  #race(addresses: readonly string[]): void {
    const { port } = this.#target;
    this.#try((on) => connectFirst(addresses, port, this.#deps.clock, on));
  }

  #try(open: (on: FirstAddressListener) => Attempting): void {
    try {
      this.#step = open({
        connected: (socket) => this.#secure(socket),
        failed: (error) => this.#fail(classifyConnectError(error, false)),
      });
      if (!this.#isRefd) this.#step.unref();
    } catch (error) {
      queueMicrotask(() => this.#fail(classifyConnectError(error, false)));
    }
  }

  #open(socket: Socket): void {
    this.#hold(socket);
    socket.once('connect', () => this.#secure(socket));
    socket.on('error', (error) => this.#fail(classifyConnectError(error, false)));
  }

  #secure(raw: Socket): void {
    const { tls, keepAliveMs } = this.#target;
    raw.setNoDelay(true);
    raw.setKeepAlive(true, keepAliveMs ?? defaultOf('tcpKeepAliveMs'));
    if (tls === undefined) {
      if (this.#settle()) this.#on.connected(raw);
      return;
    }
    const socket = this.#openTls(raw, tls);
    if (socket === undefined) return;
    this.#hold(socket);
    socket.once('secureConnect', () => {
      const refused = tls.verify(socket);
      if (refused !== undefined) this.#fail(classifyConnectError(refused, true));
      else if (this.#settle()) this.#on.connected(socket);
    });
    // Stays for the life of the socket: an idle one may fail at any time.
    socket.on('error', (error) => this.#fail(classifyConnectError(tls.refusal(error, socket) ?? error, true)));
  }

  #openTls(raw: Socket, tls: SecureTransport): TLSSocket | undefined {
    try {
      return tls.open(raw);
    } catch (error) {
      raw.destroy();
      this.#fail(classifyConnectError(error, true));
      return undefined;
    }
  }

  #hold(socket: Socket): void {
    this.#step = { cancel: () => socket.destroy(), unref: () => socket.unref() };
    if (!this.#isRefd) socket.unref();
  }

  #fail(failure: ConnectFailure): void {
    if (!this.#settle()) return;
    this.#step?.cancel();
    this.#on.failed(failure);
  }

  #settle(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#timer?.cancel();
    return true;
  }
}

const UNIX = 'unix:';
