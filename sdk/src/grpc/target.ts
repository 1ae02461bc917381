import { MeshError } from '../errors.ts';
import { type Dialled, dialledOf } from '../http/dialled.ts';

/** Where a channel leads. */
export interface GrpcTarget {
  /** As the application wrote it. */
  readonly text: string;
  /** undefined: nothing that a mesh knows of (`unix:`, `ipv4:` and other schemes of grpc-js). */
  readonly dialled: Dialled | undefined;
  /** `:authority` of its calls, and of what a plain channel dials. */
  readonly authority: string;
}

const SCHEME = /^(dns|xds):(?:\/\/\/)?(?!\/)/;
/** Resolvers of grpc-js's own, and those that an application has registered. */
const OTHER_SCHEME = /^(?:unix|unix-abstract|ipv4|ipv6):|^(?!https?:)[a-z][\w+.-]*:\/\//i;

/**
 * `host:port`, alone or behind `dns:` or `xds:`. Without a port it is 80, with TLS of the caller's own 443. Throws
 * MESH_CONFIG_INVALID.
 */
export function readTarget(text: string, isSecure: boolean): GrpcTarget {
  const authority = text.replace(SCHEME, '');
  if (authority === text && OTHER_SCHEME.test(text)) return { text, dialled: undefined, authority: text };
  const url = URL.parse(`${isSecure ? 'https' : 'http'}://${authority}/`);
  if (url === null || url.pathname !== '/' || url.username !== '' || url.search !== '') {
    throw new MeshError('MESH_CONFIG_INVALID', `"${text}" is no target: write host:port`);
  }
  return { text, dialled: dialledOf(url), authority: authority.toLowerCase() };
}
