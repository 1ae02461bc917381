import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';

/**
 * The value of a header, repeats joined with a comma (gRFC A28); undefined when absent. `name` is lower case. Allocates only when the header is repeated.
 */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] === name) return joinRepeats(headers, name, i);
  }
  return undefined;
}

function joinRepeats(headers: HeaderList, name: string, first: number): string | undefined {
  let value = headers[first + 1];
  for (let i = first + 2; i + 1 < headers.length; i += 2) {
    if (headers[i] === name) value = joinValues(value ?? '', headers[i + 1] ?? '');
  }
  return value;
}

/** With a comma where there is something to separate (Envoy HeaderMapImpl::appendToHeader). */
export function joinValues(first: string, second: string): string {
  return first === '' || second === '' ? first + second : `${first},${second}`;
}

/** Every value of a header in wire order. */
export function headerValues(headers: HeaderList, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const value = headers[i + 1];
    if (headers[i] === name && value !== undefined) values.push(value);
  }
  return values;
}

/**
 * A header or pseudo-header of a request. `host` is `:authority`, as in Envoy's header map, where HTTP/1.1's Host
 * lives under that name.
 */
export function requestHeaderValue(request: MeshRequest, name: string): string | undefined {
  if (name.charCodeAt(0) === 58 /* : */) return pseudoHeader(request, name);
  if (name === 'host') return request.authority;
  return headerValue(request.headers, name);
}

function pseudoHeader(request: MeshRequest, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method;
    case ':authority':
      return request.authority;
    case ':scheme':
      return request.scheme;
    case ':path':
      return request.path;
    default:
      return undefined;
  }
}

/**
 * Headers of which Envoy's header map keeps one entry, joining repeats as they arrive; any other repeated header is
 * several values, and matchers look at each (Envoy 1.39 match_headers_individually). Found by asking Envoy 1.40.
 */
const JOINED: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'grpc-accept-encoding',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'origin',
  'pragma',
  'proxy-status',
  'referer',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-external-address',
  'x-envoy-is-timeout-retry',
  'x-envoy-original-path',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-request-id',
]);

/** The values of a header or pseudo-header of a request as Envoy counts them; none when it is absent. */
export function requestHeaderValues(request: MeshRequest, name: string): readonly string[] {
  if (!isSingle(name)) return headerValues(request.headers, name);
  const value = requestHeaderValue(request, name);
  return value === undefined ? [] : [value];
}

/** Pseudo-headers have one value, joined headers become one. */
export const isSingle = (name: string): boolean =>
  name.charCodeAt(0) === 58 /* : */ || name === 'host' || JOINED.has(name);
