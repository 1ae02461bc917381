import { defaultOf } from '../defaults.ts';
import type { InboundListener } from '../model/inbound.ts';
import type { NodeServer } from './app-server.ts';

/** Node's defaults of http.Server: whoever has others has set them. */
const NODE_HEADERS_MS = 60_000;
const NODE_KEEP_ALIVE_MS = 5_000;

/** Node's own limits, where the application left them as they were. */
export function harden(server: NodeServer): void {
  if (!('headersTimeout' in server)) return;
  if (server.headersTimeout === NODE_HEADERS_MS) server.headersTimeout = defaultOf('guardHeadersMs');
  if (server.keepAliveTimeout === NODE_KEEP_ALIVE_MS) server.keepAliveTimeout = defaultOf('guardIdleMs');
}

/** Callers are told how long a connection is kept (`Keep-Alive: timeout=`). */
export function hintIdleTime(server: NodeServer, { limits: { idleTimeoutMs } }: InboundListener): void {
  if (idleTimeoutMs !== undefined && 'keepAliveTimeout' in server) server.keepAliveTimeout = idleTimeoutMs;
}
