import { defaultOf } from '../defaults.ts';
import type { Http2Options } from '../model/cluster.ts';

/** How many times longer than asked for. By what a cluster says of its connections: new settings begin anew. */
const factors = new WeakMap<Http2Options, number>();

/** Time between two PINGs; undefined: none are sent. */
export function pingIntervalMs(options: Http2Options): number | undefined {
  const ms = options.keepAlive?.intervalMs;
  if (ms === undefined) return undefined;
  // What every gRPC server accepts.
  const longest = Math.max(ms, defaultOf('adsPingLongestMs'));
  return Math.min(ms * (factors.get(options) ?? 1), longest);
}

/** gRFC A8: a server has closed a connection for too many PINGs (ENHANCE_YOUR_CALM). Those that follow ask half as often. */
export function calm(options: Http2Options): void {
  factors.set(options, Math.min((factors.get(options) ?? 1) * 2, 2 ** 20));
}
