import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { EncodedResource } from './encoded-resource.ts';

/** One route configuration in one version, with the clusters it sends to. */
export interface RouteVersion {
  readonly resource: EncodedResource;
  readonly clusters: readonly string[];
}

export interface RouteHolds {
  /** What to serve under `key`: the next version, or for a while still the last. */
  choose(key: string, next: RouteVersion | undefined, exists: (cluster: string) => boolean): RouteVersion | undefined;
  /** What was served under a former key of the same client is what it has; without effect where `key` is known. */
  adopt(key: string, former: () => string): void;
  /** No route is held back. */
  isEmpty(): boolean;
  /** Forgets keys that nobody asks for any more. */
  sweep(isUsed: (key: string) => boolean): void;
  close(): void;
}

interface Hold {
  readonly timer: Timer;
  /** It has lasted long enough: what waits is served, dangling or not. */
  over: boolean;
}

/**
 * A VirtualService and the DestinationRule with its subset may come on two watches, or from two files. A route whose new
 * version names a cluster that does not exist, while its last version resolves, keeps the last for a short time.
 * `released` is called when a hold has run out, so that the waiting version is served.
 */
export const createRouteHolds = (clock: Clock, released: () => void): RouteHolds => {
  const served = new Map<string, RouteVersion>();
  const holds = new Map<string, Hold>();

  const drop = (key: string): void => {
    holds.get(key)?.timer.cancel();
    holds.delete(key);
  };
  const serve = (key: string, next: RouteVersion): RouteVersion => {
    drop(key);
    served.set(key, next);
    return next;
  };
  /** One time for all versions that come while it lasts, or ever new ones would be held for ever. */
  const holdOf = (key: string): Hold => {
    const known = holds.get(key);
    if (known !== undefined) return known;
    const timer = clock.after(defaultOf('routeHoldMs'), () => {
      made.over = true;
      released();
    });
    const made: Hold = { timer, over: false };
    holds.set(key, made);
    return made;
  };

  return {
    choose(key, next, exists) {
      if (next === undefined) {
        drop(key);
        served.delete(key);
        return undefined;
      }
      const last = served.get(key);
      if (last === next && holds.size === 0) return next;
      if (last === undefined || last.resource.version === next.resource.version) return serve(key, next);
      if (next.clusters.every(exists) || !last.clusters.every(exists)) return serve(key, next);
      return holdOf(key).over ? serve(key, next) : last;
    },
    adopt(key, former) {
      if (served.has(key)) return;
      const last = served.get(former());
      if (last !== undefined) served.set(key, last);
    },
    isEmpty: () => holds.size === 0,
    sweep(isUsed) {
      for (const key of served.keys()) {
        if (isUsed(key)) continue;
        drop(key);
        served.delete(key);
      }
    },
    close() {
      for (const key of holds.keys()) drop(key);
    },
  };
};
