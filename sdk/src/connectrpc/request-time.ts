import { grpcTimeoutMs, grpcTimeoutText } from '../match/grpc-timeout.ts';
import { headerValue } from '../match/headers.ts';
import { currentInbound } from '../propagation/store.ts';

const CONNECT = 'connect-timeout-ms';
const GRPC = 'grpc-timeout';

/**
 * How long the call may take by its own header, in ms; undefined: as long as it takes. The server is told no more than the request
 * has that this call is made for (see `propagate`).
 */
export function takeTime(headers: string[], protocol: 'connect' | 'grpc', nowMs: number): number | undefined {
  const name = protocol === 'connect' ? CONNECT : GRPC;
  const text = headerValue(headers, name);
  const ownMs = protocol === 'connect' ? connectTimeoutMs(text) : grpcTimeoutMs(text);
  const leftMs = Math.max(1, (currentInbound()?.dueMs ?? Number.POSITIVE_INFINITY) - nowMs);
  if (leftMs < (ownMs ?? Number.POSITIVE_INFINITY)) {
    const told = protocol === 'connect' ? String(Math.ceil(leftMs)) : grpcTimeoutText(leftMs);
    const at = headers.findIndex((text, index) => index % 2 === 0 && text === name);
    if (at < 0) headers.push(name, told);
    else headers[at + 1] = told;
  }
  return ownMs;
}

/** Connect's protocol, Timeout: at most ten digits. */
const connectTimeoutMs = (text: string | undefined): number | undefined =>
  /^\d{1,10}$/.test(text ?? '') ? Number(text) : undefined;
