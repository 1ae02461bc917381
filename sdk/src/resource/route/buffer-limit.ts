import type { Route, VirtualHost } from '../../../gen/route.js';

/** Envoy request_body_buffer_limit, which wins over the older per_request_buffer_limit_bytes of the same message. */
export function decodeBufferLimit({
  requestBodyBufferLimit: limit,
  perRequestBufferLimitBytes: older,
}: Pick<Route | VirtualHost, 'requestBodyBufferLimit' | 'perRequestBufferLimitBytes'>): number | undefined {
  return limit === undefined ? older : Number(limit);
}
