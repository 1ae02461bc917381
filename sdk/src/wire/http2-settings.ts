import type { ClientSessionOptions } from 'node:http2';
import { defaultOf } from '../defaults.ts';
import type { Http2Options } from '../model/cluster.ts';
import type { ClientLimits } from './http2/peer-settings.ts';

/** What a session is for. Each user of HTTP/2 has its own row: node's defaults fit none of them. */
export type SessionKind = 'ads' | 'call';

export interface SessionSettings {
  readonly options: ClientSessionOptions;
  /** Receive window of the connection; HTTP/2's 64 KiB would cost a round trip per 64 KiB of configuration. */
  readonly connectionWindow: number;
  /** A PING after this long without one; none where undefined. */
  readonly pingIntervalMs: number | undefined;
  readonly pingTimeoutMs: number;
}

const MEBIBYTE = 1024 * 1024;

const KINDS: Readonly<Record<SessionKind, SessionSettings>> = {
  ads: {
    options: {
      settings: { enablePush: false, initialWindowSize: 4 * MEBIBYTE, maxHeaderListSize: 65_536 },
      // In MB. Node's 10 is less than one large RouteConfiguration (istiod: 7.6 MB) and a window together.
      maxSessionMemory: 64,
      maxOutstandingPings: 4,
      maxHeaderListPairs: 128,
    },
    connectionWindow: 8 * MEBIBYTE,
    pingIntervalMs: defaultOf('adsPingIntervalMs'),
    pingTimeoutMs: defaultOf('adsPingTimeoutMs'),
  },
  // One small question on a connection of its own, or a stream of small answers: the CA, the Workload API.
  call: {
    options: {
      settings: { enablePush: false, initialWindowSize: MEBIBYTE, maxHeaderListSize: 65_536 },
      maxSessionMemory: 8,
      maxOutstandingPings: 4,
      maxHeaderListPairs: 128,
    },
    connectionWindow: MEBIBYTE,
    pingIntervalMs: defaultOf('adsPingIntervalMs'),
    pingTimeoutMs: defaultOf('adsPingTimeoutMs'),
  },
};

export const http2Settings = (kind: SessionKind): SessionSettings => KINDS[kind];

/** Of connections to upstreams. */
export const upstreamLimits = ({
  initialStreamWindowSize,
  initialConnectionWindowSize,
  headerTableSize,
}: Http2Options): ClientLimits => ({
  streamWindow: initialStreamWindowSize ?? MEBIBYTE,
  connectionWindow: Math.max(65_535, initialConnectionWindowSize ?? 16 * MEBIBYTE),
  headerTableSize,
  maxHeaderListSize: 65_536,
  maxHeaderFields: 256,
});
