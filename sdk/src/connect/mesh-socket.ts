import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '../clock.ts';
import type { ConnectOptions } from './destination.ts';

/** Makes the connection behind a MeshSocket. */
export type Connector = (options: ConnectOptions) => Promise<Socket>;

type Done = (error?: Error | null) => void;
type Chunks = readonly { readonly chunk: Buffer; readonly encoding: BufferEncoding }[];

/**
 * A net.Socket to those who ask for one before there is a connection: events, methods and counters are those of the socket
 * that the mesh connects; what is written before waits. See `Mesh.socket`.
 */
export class MeshSocket extends Duplex {
  connecting = false;
  readonly #connector: Connector;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #socket: Socket | undefined;
  #isDialled = false;
  /** What a socket was told before it was there. */
  #early: ((socket: Socket) => void)[] = [];
  #timer: Timer | undefined;
  #timeoutMs = 0;

  constructor(connector: Connector, clock: Clock, to?: ConnectOptions) {
    super({ allowHalfOpen: false });
    this.#connector = connector;
    this.#clock = clock;
    if (to !== undefined) this.#dial(to);
  }

  /**
   * As net.Socket: `(port, host)` or `({ port, host })`. A socket that has been told already where it goes stays with it, so
   * that a driver may call this on one that the application has made.
   */
  connect(where: number | { readonly port: number; readonly host?: string }, ...rest: unknown[]): this {
    const listener = rest.find((value) => typeof value === 'function');
    if (listener !== undefined) this.once('connect', listener as () => void);
    if (this.#isDialled) return this;
    const [host] = rest;
    if (typeof where === 'object') this.#dial({ port: where.port, host: where.host ?? 'localhost' });
    else this.#dial({ port: where, host: typeof host === 'string' ? host : 'localhost' });
    return this;
  }

  get pending(): boolean {
    return this.#socket === undefined;
  }

  get readyState(): string {
    if (this.connecting) return 'opening';
    if (this.#socket === undefined) return 'closed';
    return this.#socket.readyState;
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  get bytesWritten(): number {
    return this.#socket?.bytesWritten ?? 0;
  }

  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket?.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#socket?.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#socket?.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket?.localPort;
  }

  get timeout(): number {
    return this.#timeoutMs;
  }

  address(): AddressInfo | object {
    return this.#socket?.address() ?? {};
  }

  setNoDelay(noDelay = true): this {
    return this.#tell((socket) => socket.setNoDelay(noDelay));
  }

  setKeepAlive(enable = false, initialDelayMs = 0): this {
    return this.#tell((socket) => socket.setKeepAlive(enable, initialDelayMs));
  }

  ref(): this {
    return this.#tell((socket) => socket.ref());
  }

  unref(): this {
    return this.#tell((socket) => socket.unref());
  }

  /** Time without a byte, as of net.Socket; while it connects, the time that takes. */
  readonly setTimeout = (ms: number, listener?: () => void): this => {
    this.#timeoutMs = ms;
    this.#timer?.cancel();
    if (listener !== undefined) {
      if (ms === 0) this.off('timeout', listener);
      else this.once('timeout', listener);
    }
    if (this.#socket !== undefined) this.#socket.setTimeout(ms);
    else if (ms > 0) this.#timer = this.#clock.after(ms, () => this.emit('timeout'));
    return this;
  };

  destroySoon(): void {
    this.end(() => this.destroy());
  }

  resetAndDestroy(): this {
    this.#socket?.resetAndDestroy();
    return this.destroy();
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: Done): void {
    this.#tell((socket) => socket.write(chunk, encoding, done));
  }

  override _writev(chunks: Chunks, done: Done): void {
    this.#tell((socket) => {
      socket.cork();
      for (const [index, { chunk, encoding }] of chunks.entries()) {
        socket.write(chunk, encoding, index === chunks.length - 1 ? done : undefined);
      }
      socket.uncork();
    });
  }

  override _final(done: Done): void {
    this.#tell((socket) => {
      if (socket.destroyed) done();
      else socket.end(() => done());
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connecting = false;
    this.#timer?.cancel();
    this.#early = [];
    this.#abort.abort(error ?? new Error('the socket was destroyed'));
    this.#socket?.destroy();
    done(error);
  }

  #tell(what: (socket: Socket) => void): this {
    if (this.#socket === undefined) this.#early.push(what);
    else what(this.#socket);
    return this;
  }

  #dial(to: ConnectOptions): void {
    this.#isDialled = true;
    this.connecting = true;
    const signals = [this.#abort.signal, ...(to.signal ? [to.signal] : [])];
    this.#connector({ ...to, signal: AbortSignal.any(signals) }).then(
      (socket) => this.#attach(socket),
      (error: Error) => this.destroy(error),
    );
  }

  #attach(socket: Socket): void {
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.connecting = false;
    this.#timer?.cancel();
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    let hasEnded = false;
    socket.on('end', () => {
      hasEnded = true;
      this.push(null);
    });
    socket.on('timeout', () => this.emit('timeout'));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => {
      // After a proper end what has come is still to be read; then both sides are over.
      if (!hasEnded) this.destroy();
    });
    if (this.#timeoutMs > 0) socket.setTimeout(this.#timeoutMs);
    for (const what of this.#early.splice(0)) what(socket);
    this.emit('connect');
    this.emit('ready');
  }
}
