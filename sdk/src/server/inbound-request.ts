import type { MeshRequest } from '../model/request.ts';

interface Head {
  readonly method: string | undefined;
  readonly scheme: 'http' | 'https';
  readonly authority: string | undefined;
  readonly path: string | undefined;
  /** Flat, as it came; pseudo-headers among them are left out. */
  readonly rawHeaders: readonly string[];
}

/** A request that has come, as routes and faults look at it. */
export function inboundRequest({ method, scheme, authority, path, rawHeaders }: Head): MeshRequest {
  const headers: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    // gRPC's matchers see text alone (gRFC A28); `host` stands for the authority.
    if (name.startsWith(':') || name === 'host' || name.endsWith('-bin')) continue;
    headers.push(name, rawHeaders[at + 1] ?? '');
  }
  return {
    method: method ?? '',
    scheme,
    authority: (authority ?? '').toLowerCase().replace(/\.(?=$|:\d+$)/, ''),
    // CONNECT has none: every rule must take that as well.
    path: path ?? '',
    headers,
  };
}
