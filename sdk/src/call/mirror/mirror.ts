import type { Duplex } from 'node:stream';
import type { Timer } from '../../clock.ts';
import type { WireRequest } from '../../connection/exchange.ts';
import type { TlsTarget } from '../../connection/tls.ts';
import type { Cluster, Endpoint } from '../../model/cluster.ts';
import type { Upstream } from '../../upstream/types.ts';
import { patientTimer } from '../../wire/late-timer.ts';
import { Attempt } from '../attempt.ts';
import type { AttemptOwner, ResponseHead } from '../attempt-owner.ts';
import type { CallRuntime } from '../types.ts';
import type { AnswerRecord } from './answer-record.ts';

export interface MirrorParts {
  readonly runtime: CallRuntime;
  readonly upstream: Upstream;
  readonly priority: 'default' | 'high';
  readonly tls: (cluster: Cluster, endpoint: Endpoint) => TlsTarget | undefined;
  readonly request: () => WireRequest;
  readonly isGrpc: boolean;
  /** As the call's own; 0 = none. */
  readonly timeoutMs: number;
  readonly record: AnswerRecord | undefined;
}

/** One copy of a request, on its own: nobody waits for it, what comes of it is read and thrown away. */
export class Mirror implements AttemptOwner {
  readonly mayReplay = false;
  readonly bodyFailure = undefined;
  readonly #parts: MirrorParts;
  #attempt: Attempt | undefined;
  #timer: Timer | undefined;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { runtime, priority, timeoutMs, isGrpc } = this.#parts;
    const upstream = this.#parts.upstream.serving(runtime.random);
    const breaker = upstream.breaker(priority);
    // The first thing to go when room becomes scarce.
    const pick = breaker.isCrowded ? undefined : upstream.pick({});
    if (pick?.kind !== 'pick') {
      this.#end();
      return;
    }
    const { cluster } = upstream.config();
    const nowMs = runtime.clock.now();
    const tls = this.#parts.tls(cluster, pick.host.endpoint);
    const { connections } = runtime;
    const limits = { perTryMs: 0, perTryIdleMs: 0, isGrpc };
    const parts = { owner: this, cluster, tls, breaker, connections, patience: runtime, ...limits };
    this.#attempt = new Attempt(parts, pick, nowMs);
    if (timeoutMs > 0) this.#timer = patientTimer(runtime, timeoutMs, () => this.#expire(), nowMs);
    this.#attempt.start(false);
  }

  requestFor(): WireRequest {
    return this.#parts.request();
  }

  onSent(): void {}
  onInformational(): void {}

  onHead(_: Attempt, { status }: ResponseHead): void {
    const { record } = this.#parts;
    if (record !== undefined) record.status = status;
  }

  onData(chunk: Uint8Array): boolean {
    this.#parts.record?.take(chunk);
    return true;
  }

  onEnd(_trailers: string[], nowMs: number): void {
    this.#end(nowMs);
  }

  onUpgrade(_: Attempt, _head: ResponseHead, socket: Duplex): void {
    socket.destroy();
    this.#end();
  }

  onFailed(): void {
    this.#end();
  }

  onLate(): void {}

  onStale(attempt: Attempt): void {
    attempt.pick.outcome({});
    attempt.pick.release();
    this.#end();
  }

  onBroken(): void {
    this.#end();
  }

  onInvalid(): void {
    this.#end();
  }

  #expire(): void {
    this.#attempt?.cancel('timeout');
    this.#end();
  }

  #end(nowMs?: number): void {
    this.#timer?.cancel();
    this.#parts.record?.end(nowMs);
  }
}
