import type { Timer } from '../clock.ts';
import type { Held } from './protocol/dialect.ts';
import { ASKED, type Subscription, type SubscriptionEffect } from './subscription.ts';

/** Told what happens to one resource; never from inside `subscribe`. */
export interface ResourceWatcher<T> {
  /** A new good version; the latest one is told to whoever subscribes later. */
  onResource(value: T, version: string): void;
  /** The server says that it does not exist, or said nothing for too long. */
  onAbsent(reason: string): void;
  /** Its newest version is unusable; the last good one, if there was one, goes on. */
  onError(reason: string): void;
  /** The server can be spoken to but has said nothing for a second; the answer may still come. */
  onSilent?(reason: string): void;
}

/** A version that was not taken. */
export interface Refusal {
  readonly version: string;
  /** Wall-clock time at which it came. */
  readonly atMs: number;
}

/** One subscribed name. */
export class Entry<T> implements Held {
  state: Subscription = ASKED;
  value: T | undefined;
  /** The server whose version it is: versions of two servers say nothing about each other. */
  from: string | undefined;
  /** Kept where the server sends everything each time (SotW): equal bytes are not decoded again. */
  bytes: Uint8Array | undefined;
  warnings: readonly string[] = [];
  /** Wall-clock time at which the version in use came. */
  acceptedMs: number | undefined;
  /** The newest version, where it was refused. */
  refused: Refusal | undefined;
  /** It comes from the last-good store, not from a server that we speak to. */
  staleSinceMs: number | undefined;
  timer: Timer | undefined;
  /** Runs out when nothing more is heard of what has a time to live. */
  life: Timer | undefined;
  /** A new list with every change; nearly always there is one. */
  watchers: readonly ResourceWatcher<T>[] = [];

  get version(): string | undefined {
    return this.state.kind === 'present' ? this.state.version : undefined;
  }

  isUnchanged(bytes: Uint8Array): boolean {
    if (this.state.kind !== 'present' || this.state.rejected !== undefined || this.bytes === undefined) return false;
    return Buffer.compare(this.bytes, bytes) === 0;
  }

  tell(watcher: ResourceWatcher<T>, effect: SubscriptionEffect): void {
    const { state, value } = this;
    if (effect === 'tell-resource' && state.kind === 'present' && value !== undefined) {
      watcher.onResource(value, state.version);
    } else if (effect === 'tell-absent' && state.kind === 'absent') watcher.onAbsent(state.reason);
    else if (effect === 'tell-error' && state.kind === 'present') watcher.onError(state.rejected ?? '');
    else if (effect === 'tell-error' && (state.kind === 'rejected' || state.kind === 'late')) {
      watcher.onError(state.reason);
    }
  }

  /** Everything a late watcher missed. */
  tellState(watcher: ResourceWatcher<T>): void {
    for (const effect of ['tell-resource', 'tell-absent'] as const) this.tell(watcher, effect);
    const { state } = this;
    const isWrong = state.kind === 'present' ? state.rejected !== undefined : true;
    if (isWrong) this.tell(watcher, 'tell-error');
  }
}
