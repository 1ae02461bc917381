import { grpcTimeoutText } from '../match/grpc-timeout.ts';
import { ACCEPTED } from './algorithms.ts';
import type { ChannelSettings } from './channel-options.ts';
import { headersOf } from './metadata.ts';
import type { GrpcMetadata } from './types.ts';

/** PROTOCOL-HTTP2, Request-Headers; the application's metadata last. */
export function requestHeaders(
  metadata: GrpcMetadata,
  { userAgent, algorithm }: ChannelSettings,
  timeoutMs: number | undefined,
): string[] {
  const headers = ['content-type', 'application/grpc', 'te', 'trailers', 'user-agent', userAgent];
  if (timeoutMs !== undefined) headers.push('grpc-timeout', grpcTimeoutText(timeoutMs));
  if (algorithm !== 'identity') headers.push('grpc-encoding', algorithm);
  headers.push('grpc-accept-encoding', ACCEPTED, ...headersOf(metadata));
  return headers;
}

/** What credentials are asked for: the service, as a URL without the port. */
export function serviceUrl(authority: string, method: string): string {
  const host = authority.replace(/:\d+$/, '');
  return `https://${host}${method.slice(0, Math.max(0, method.lastIndexOf('/')))}`;
}
