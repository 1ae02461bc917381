import type { Clock, Random, Timer } from '../../clock.ts';
import type { DnsOptions } from '../../model/cluster.ts';
import type { Resolver } from './resolver.ts';

export interface NamesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: Resolver;
}

/** What is known of a name. */
export interface NameView {
  /** The last good ones, in the order they came; none as long as it is not known or does not exist. */
  readonly addresses: readonly string[];
  /** The last there were. */
  readonly lastAddresses: readonly string[];
  /** The first answer has come, whatever it was. */
  readonly isSettled: boolean;
}

export interface Names {
  /** Keeps asking as the options say until it is let go; tells of every answer that changes what is known. */
  watch(name: string, options: DnsOptions, changed: () => void): { readonly view: NameView; stop(): void };
}

/** Names, each asked again when its answer is no longer good. Those who watch the same name alike share the asking. */
export function createNames(deps: NamesDeps): Names {
  const watched = new Map<string, WatchedName>();
  return {
    watch(name, options, changed) {
      const key = `${name} ${JSON.stringify(options)}`;
      let entry = watched.get(key);
      if (entry === undefined) {
        entry = new WatchedName(name, options, deps);
        watched.set(key, entry);
      }
      const view = entry;
      view.watchers.add(changed);
      return {
        view,
        stop() {
          view.watchers.delete(changed);
          if (view.watchers.size > 0) return;
          view.close();
          if (watched.get(key) === view) watched.delete(key);
        },
      };
    },
  };
}

class WatchedName implements NameView {
  addresses: readonly string[] = [];
  lastAddresses: readonly string[] = [];
  isSettled = false;
  readonly watchers = new Set<() => void>();
  readonly #name: string;
  readonly #options: DnsOptions;
  readonly #deps: NamesDeps;
  #timer: Timer | undefined;
  /** In a row. */
  #failures = 0;
  #isClosed = false;

  constructor(name: string, options: DnsOptions, deps: NamesDeps) {
    this.#name = name;
    this.#options = options;
    this.#deps = deps;
    this.#ask();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #ask(): void {
    const { resolver, clock } = this.#deps;
    resolver.resolve(this.#name, this.#options.family).then((answer) => {
      if (this.#isClosed) return;
      const isFirst = !this.isSettled;
      this.isSettled = true;
      let waitMs = this.#options.refreshRateMs;
      if (answer.kind === 'failed') waitMs = this.#afterFailure();
      else {
        this.#failures = 0;
        if (answer.kind === 'addresses' && this.#options.respectTtl) waitMs = answer.ttlMs || waitMs;
      }
      this.#timer = clock.after(waitMs + this.#jitter(), () => this.#ask());
      // As in Envoy a name that is said not to exist has no addresses; one nobody can say anything of keeps its own.
      const addresses = answer.kind === 'addresses' ? [...new Set(answer.addresses)] : [];
      if (answer.kind !== 'failed' && !isSame(addresses, this.addresses)) {
        this.addresses = addresses;
        if (addresses.length > 0) this.lastAddresses = addresses;
      } else if (!isFirst) return;
      for (const changed of [...this.watchers]) changed();
    });
  }

  /** Envoy JitteredExponentialBackOffStrategy over dns_failure_refresh_rate. */
  #afterFailure(): number {
    const { failureRefresh, refreshRateMs } = this.#options;
    if (failureRefresh === undefined) return refreshRateMs;
    const { baseMs, maxMs } = failureRefresh;
    const spanMs = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failures++, 30));
    return Math.max(1, this.#deps.random() % Math.max(1, Math.floor(spanMs)));
  }

  #jitter(): number {
    const { jitterMs } = this.#options;
    return jitterMs > 0 ? this.#deps.random() % Math.ceil(jitterMs) : 0;
  }
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((address, i) => address === other[i]);
