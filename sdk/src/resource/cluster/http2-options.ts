import type { Http2ProtocolOptions } from '../../../gen/core.js';
import type { Http2Options } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange } from '../values.ts';

const LARGEST = 2_147_483_647;
/** RFC 9113 §6.9.2; Envoy takes no smaller window. */
const SMALLEST_WINDOW = 65_535;

/** Envoy Http2ProtocolOptions; undefined where nothing is asked for. */
export function decodeHttp2Options(message: Http2ProtocolOptions | undefined, at: Scope): Http2Options | undefined {
  if (message === undefined) return undefined;
  const bounded = (value: number | undefined, low: number, field: string): number | undefined =>
    value === undefined ? undefined : inRange(value, low, LARGEST, at.at(field));
  const streams = bounded(message.maxConcurrentStreams, 1, 'max_concurrent_streams');
  const window = bounded(message.initialStreamWindowSize, SMALLEST_WINDOW, 'initial_stream_window_size');
  const connection = bounded(message.initialConnectionWindowSize, SMALLEST_WINDOW, 'initial_connection_window_size');
  const keepAlive = decodeKeepAlive(message, at.at('connection_keepalive'));
  const options: Http2Options = {
    ...(streams !== undefined && { maxConcurrentStreams: streams }),
    ...(window !== undefined && { initialStreamWindowSize: window }),
    ...(connection !== undefined && { initialConnectionWindowSize: connection }),
    ...(message.hpackTableSize !== undefined && { headerTableSize: message.hpackTableSize }),
    ...(keepAlive && { keepAlive }),
  };
  return Object.keys(options).length > 0 ? options : undefined;
}

/** Envoy KeepaliveSettings: times of 1 ms and more. */
function decodeKeepAlive({ connectionKeepalive: message }: Http2ProtocolOptions, at: Scope): Http2Options['keepAlive'] {
  if (message === undefined) return undefined;
  const time = (duration: Parameters<typeof durationMs>[0], field: string): number | undefined => {
    const ms = durationMs(duration, at.at(field));
    if (ms !== undefined && ms < 1) at.at(field).error(`${ms} ms, 1 ms or more allowed`);
    return ms;
  };
  if (message.timeout === undefined) at.at('timeout').error('missing, 1 ms or more is required');
  const intervalMs = time(message.interval, 'interval');
  const idleIntervalMs = time(message.connectionIdleInterval, 'connection_idle_interval');
  return {
    ...(intervalMs !== undefined && { intervalMs }),
    timeoutMs: time(message.timeout, 'timeout') ?? 0,
    // Envoy KeepaliveSettings.interval_jitter: 15 % unless given.
    jitterPercent: inRange(message.intervalJitter?.value ?? 15, 0, 100, at.at('interval_jitter')),
    ...(idleIntervalMs !== undefined && { idleIntervalMs }),
  };
}
