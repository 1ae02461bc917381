import type { Duplex } from 'node:stream';
import { addressText } from '../balancer/hash-key.ts';
import type { Clock, Timer } from '../clock.ts';
import type { ConnectFailure } from '../connection/connect-failure.ts';
import { type Connection, flattenHeaders } from '../connection/connection.ts';
import type { Connections } from '../connection/connections.ts';
import type { Http1Controller, Http1Handler, Http1Request, ParsedHeaders } from '../connection/http1-client.ts';
import type { ConnectionWaiter, DialHost } from '../connection/lane.ts';
import type { TlsTarget } from '../connection/tls.ts';
import { defaultOf } from '../defaults.ts';
import type { Cluster } from '../model/cluster.ts';
import type { AttemptStory, ResponseFlag } from '../model/events.ts';
import type { Outcome, Pick } from '../upstream/pick.ts';
import { type AttemptFailure, failedConnect, failedRequest, isInvalidRequest } from './failure.ts';

/** The call an attempt belongs to. */
export interface AttemptOwner {
  /** What to send; asked once, when there is a connection. */
  readonly http1Request: Http1Request;
  /** Whether the same request can be sent once more. */
  readonly mayReplay: boolean;
  /** What the request's stream failed with, if it did. */
  readonly bodyFailure: { readonly error: unknown } | undefined;
  onSent(): void;
  onInformational(status: number, headers: string[]): void;
  onHead(status: number, headers: string[], statusText: string): void;
  /** False asks for a pause. */
  onData(chunk: Uint8Array): boolean;
  onEnd(trailers: string[], nowMs: number): void;
  onUpgrade(status: number, headers: string[], socket: Duplex): void;
  /** No response head came. */
  onFailed(failure: AttemptFailure): void;
  /** The kept connection was closed by its peer under the request: the pick goes on with another connection. */
  onStale(): void;
  /** The body broke off. */
  onBroken(failure: AttemptFailure): void;
  /** The request is at fault, not the peer. */
  onInvalid(error: unknown): void;
}

/** What an attempt is made with. */
export interface AttemptParts {
  readonly owner: AttemptOwner;
  readonly pick: Pick;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  readonly connections: Connections;
  readonly clock: Clock;
}

type Phase =
  /** For a connection. */
  | 'waiting'
  /** Handed to undici, nothing is written yet. */
  | 'queued'
  | 'sent'
  | 'body'
  /** Nobody wants the rest of the answer; it is read to keep the connection. */
  | 'draining'
  /** Taken back while queued. */
  | 'withdrawn'
  | 'over';

/** Thrown into undici to take back a request that it has not written. */
const WITHDRAWN = new Error('the call has ended');
const NOTHING: Outcome = {};

/** One request on one connection to one picked host. Tells the pick its outcome and its release, once each. */
export class Attempt implements Http1Handler, ConnectionWaiter {
  readonly host: DialHost;
  readonly cluster: Cluster;
  readonly tls: TlsTarget | undefined;
  readonly startMs: number;
  readonly pick: Pick;
  status: number | undefined;
  flag: ResponseFlag | undefined;
  readonly #owner: AttemptOwner;
  readonly #connections: Connections;
  readonly #clock: Clock;
  #phase: Phase = 'waiting';
  #connection: Connection | undefined;
  #controller: Http1Controller | undefined;
  #isReused = false;
  #isSent = false;
  #hasBegun = false;
  #drainTimer: Timer | undefined;
  #drainLeft = 0;

  constructor({ owner, pick, cluster, tls, connections, clock }: AttemptParts, startMs: number) {
    this.host = pick.host;
    this.pick = pick;
    this.cluster = cluster;
    this.tls = tls;
    this.startMs = startMs;
    this.#owner = owner;
    this.#connections = connections;
    this.#clock = clock;
  }

  get endpoint(): string {
    return this.#connection?.endpoint ?? addressText(this.host);
  }

  /** Its part of the call's story. */
  tell(callStartMs: number, nowMs: number): AttemptStory {
    const { endpoint, status, flag } = this;
    const times = { endpoint, startMs: this.startMs - callStartMs, endMs: nowMs - callStartMs, reused: this.#isReused };
    if (flag === undefined) return status === undefined ? times : { ...times, status };
    return status === undefined ? { ...times, flag } : { ...times, status, flag };
  }

  start(isFresh: boolean): void {
    const connection = isFresh ? this.#connections.checkoutFresh(this) : this.#connections.checkout(this);
    if (connection !== undefined) this.onConnection(connection);
  }

  onConnection(connection: Connection): void {
    this.#connection = connection;
    this.#isReused = connection.isReused;
    this.#phase = 'queued';
    connection.dispatch(this.#owner.http1Request, this);
  }

  onConnectFailure(failure: ConnectFailure): void {
    this.#end({ error: failure.kind === 'timeout' ? 'timeout' : 'connect' });
    this.#owner.onFailed(failedConnect(failure, this.endpoint));
  }

  /** The call goes on without it. `error` counts against the host where it has not answered. */
  cancel(error?: 'timeout'): void {
    const phase = this.#phase;
    if (phase === 'body') this.#drain();
    if (phase !== 'waiting' && phase !== 'queued' && phase !== 'sent') return;
    this.#end(error === undefined ? NOTHING : { error });
    if (phase === 'waiting') this.#connections.cancel(this);
    else if (phase === 'queued') this.#phase = 'withdrawn';
    else this.#controller?.abort(WITHDRAWN);
  }

  resume(): void {
    if (this.#phase === 'body') this.#controller?.resume();
  }

  onRequestStart(controller: Http1Controller): void {
    if (this.#phase === 'withdrawn') throw WITHDRAWN;
    this.#controller = controller;
    this.#phase = 'sent';
  }

  onRequestSent(): void {
    this.#isSent = true;
    // The head of the answer may have come before.
    if (this.#phase === 'sent' || this.#phase === 'body') this.#owner.onSent();
  }

  onResponseStarted(): void {
    this.#hasBegun = true;
  }

  onResponseStart(_: Http1Controller, status: number, headers: ParsedHeaders, statusText = ''): void {
    if (status < 200) {
      this.#hasBegun = false;
      this.#owner.onInformational(status, flattenHeaders(headers));
      return;
    }
    this.#phase = 'body';
    this.status = status;
    this.pick.outcome({ status });
    this.#owner.onHead(status, this.#connection?.readHead(headers) ?? [], statusText);
  }

  onResponseData(controller: Http1Controller, chunk: Uint8Array): void {
    if (this.#phase === 'body') {
      if (!this.#owner.onData(chunk)) controller.pause();
      return;
    }
    this.#drainLeft -= chunk.length;
    if (this.#drainLeft < 0) this.#stopDraining();
  }

  onResponseEnd(_: Http1Controller, trailers: ParsedHeaders): void {
    const isWanted = this.#phase === 'body';
    const nowMs = this.#clock.now();
    this.#phase = 'over';
    this.#drainTimer?.cancel();
    // Of a request that is not wholly sent the peer still expects the rest.
    if (this.#isSent) this.#connection?.release(nowMs);
    else this.#connection?.close();
    if (!isWanted) return;
    this.pick.release();
    try {
      this.#owner.onEnd(flattenHeaders(trailers), nowMs);
    } catch (error) {
      // undici would tell it to this attempt, which is over: it is nobody's but the process's, as of any other callback.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  onRequestUpgrade(_: Http1Controller, status: number, headers: ParsedHeaders, socket: Duplex): void {
    this.#phase = 'over';
    this.status = status;
    this.pick.outcome({ status });
    socket.once('close', () => this.pick.release());
    this.#owner.onUpgrade(status, flattenHeaders(headers), socket);
  }

  onResponseError(_: Http1Controller | null, error: Error): void {
    const phase = this.#phase;
    if (phase === 'withdrawn') {
      this.#phase = 'over';
      this.#connection?.release(this.#clock.now());
    } else if (phase === 'queued' && isInvalidRequest(error)) {
      this.#end(NOTHING);
      this.#connection?.release(this.#clock.now());
      this.#owner.onInvalid(error);
    } else if (phase === 'queued' || phase === 'sent') {
      this.#failed(error, phase === 'queued');
    } else if (phase === 'body') {
      this.#phase = 'over';
      this.pick.release();
      this.#owner.onBroken(failedRequest(error, this.endpoint, true));
    } else if (phase === 'draining') {
      this.#phase = 'over';
      this.#drainTimer?.cancel();
    }
  }

  #failed(error: Error, isUnsent: boolean): void {
    this.#connection?.close();
    const { bodyFailure } = this.#owner;
    if (bodyFailure !== undefined || isInvalidRequest(error)) {
      this.#end(NOTHING);
      this.#owner.onInvalid(bodyFailure === undefined ? error : bodyFailure.error);
      return;
    }
    // Not the host's fault: the pick goes on, so it hears nothing of this.
    if (this.#isReused && !this.#hasBegun && (isUnsent || this.#owner.mayReplay)) {
      this.#phase = 'over';
      this.flag = 'UC';
      this.#owner.onStale();
      return;
    }
    this.#end({ error: 'reset' });
    this.#owner.onFailed(failedRequest(error, this.endpoint, this.#hasBegun));
  }

  #end(outcome: Outcome): void {
    this.#phase = 'over';
    this.pick.outcome(outcome);
    this.pick.release();
  }

  /** Reading what is left of a short answer is cheaper than a new connection. */
  #drain(): void {
    this.#phase = 'draining';
    this.pick.release();
    this.#drainLeft = defaultOf('drainBytes');
    this.#drainTimer = this.#clock.after(defaultOf('drainMs'), () => this.#stopDraining());
    this.#controller?.resume();
  }

  #stopDraining(): void {
    this.#controller?.abort(WITHDRAWN);
  }
}
