import { MeshError } from '../errors.ts';

/** What a URL says about a call: where it is dialled and what the rules see of it. */
export interface Dialled {
  readonly scheme: 'http' | 'https';
  /** Name or IP literal, IPv6 without brackets, lower case, no trailing dot. */
  readonly host: string;
  readonly port: number;
  /** The name discovery asks for: always with a port. */
  readonly target: string;
  /** As a rule sees it: the port only where the URL has one. */
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
}

const DEFAULT_PORT = { http: 80, https: 443 } as const;

/** The URL's own host and port, never a header's: what is dialled cannot be moved by what is sent. */
export function dialledOf(url: URL): Dialled {
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const { hostname, port, host } = url;
  if (port === '' && !hostname.endsWith('.')) {
    const number = DEFAULT_PORT[scheme];
    return {
      scheme,
      host: bare(hostname),
      port: number,
      target: `${hostname}:${number}`,
      authority: host,
      path: pathOf(url),
    };
  }
  // `reviews.` and `reviews` are one host: a rule for the one must not be passed by writing the other.
  const name = hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
  const number = port === '' ? DEFAULT_PORT[scheme] : Number(port);
  const target = `${name}:${number}`;
  return { scheme, host: bare(name), port: number, target, authority: port === '' ? name : target, path: pathOf(url) };
}

/** The target that `host:port`, a host alone (port 80) or a URL names. Throws MESH_CONFIG_INVALID. */
export function targetOf(host: string): string {
  const url = URL.parse(/^https?:\/\//.test(host) ? host : `http://${host}`);
  if (url === null) throw new MeshError('MESH_CONFIG_INVALID', `"${host}" is no host: write host:port`);
  return dialledOf(url).target;
}

const bare = (hostname: string): string => (hostname.startsWith('[') ? hostname.slice(1, -1) : hostname);

/** Path and query. An empty query keeps its question mark, as in fetch. */
export function pathOf({ pathname, search, href, hash }: URL): string {
  if (search !== '') return pathname + search;
  return href.at(-hash.length - 1) === '?' ? `${pathname}?` : pathname;
}

/** An explicit `host` header: what `:authority` matches see. */
export function authorityOf(header: string): string {
  const lower = header.toLowerCase();
  const port = /:\d+$/.exec(lower)?.[0] ?? '';
  const name = lower.slice(0, lower.length - port.length);
  return (name.endsWith('.') ? name.slice(0, -1) : name) + port;
}

/** A loopback literal is this machine: as in a sidecar's redirection, such a call never becomes the mesh's, whatever its policy. */
export const isLoopback = (host: string): boolean => /^127\.[\d.]+$|^::1$|^::ffff:7f[\da-f]{2}:/.test(host);
