import type { IncomingHttpHeaders } from 'node:http';
import { grpcTimeoutMs } from '../match/grpc-timeout.ts';

/**
 * How long the caller of an inbound request waits for it, ms: what Envoy (and this mesh) said in
 * `x-envoy-expected-rq-timeout-ms`, what gRPC says in `grpc-timeout`, the shorter of the two. undefined: it does not say.
 */
export function expectedMs(headers: IncomingHttpHeaders): number | undefined {
  const envoy = textOf(headers, 'x-envoy-expected-rq-timeout-ms');
  const ours = envoy !== undefined && /^\d{1,10}$/.test(envoy) && Number(envoy) > 0 ? Number(envoy) : undefined;
  const theirs = grpcTimeoutMs(textOf(headers, 'grpc-timeout'));
  return ours === undefined || (theirs !== undefined && theirs < ours) ? theirs : ours;
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}
