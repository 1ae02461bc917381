import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';

/**
 * The value of a header, repeats joined with a comma (Envoy HeaderUtility::getAllOfHeaderAsString, gRFC A28);
 * undefined when absent. `name` is lower case. Allocates only when the header is repeated.
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
    if (headers[i] === name) value = `${value},${headers[i + 1]}`;
  }
  return value;
}

/** Every value of a header in wire order, for rules that must not join them (Envoy HeaderHashMethod). */
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
