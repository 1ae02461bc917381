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
  /** One control plane alone has it (gRFC A47): there is no calling it past the mesh. */
  readonly isFederated: boolean;
}

const SCHEME = /^(dns|xds):(?:\/\/\/)?(?!\/)/;
const FEDERATED = /^xds:\/\/([^/]+)\/(.+)$/s;
/** Resolvers of grpc-js's own, and those that an application has registered. */
const OTHER_SCHEME = /^(?:unix|unix-abstract|ipv4|ipv6):|^(?!https?:)[a-z][\w+.-]*:\/\//i;

/**
 * `host:port`, alone or behind `dns:`, `xds:` or `xds://AUTHORITY/`. Without a port it is 80, with TLS of the caller's own 443;
 * to a control plane that is named it goes as it stands. Throws MESH_CONFIG_INVALID.
 */
export function readTarget(text: string, isSecure: boolean): GrpcTarget {
  const [, control, name] = FEDERATED.exec(text) ?? [];
  const isFederated = control !== undefined && name !== undefined;
  const authority = isFederated ? name : text.replace(SCHEME, '');
  if (authority === text && OTHER_SCHEME.test(text)) return { text, dialled: undefined, authority: text, isFederated };
  const url = URL.parse(`${isSecure ? 'https' : 'http'}://${authority}/`);
  if (url === null || url.pathname !== '/' || url.username !== '' || url.search !== '') {
    const allowed = isFederated ? 'xds://AUTHORITY/host:port' : 'host:port';
    throw new MeshError('MESH_CONFIG_INVALID', `"${text}" is no target: write ${allowed}`);
  }
  const dialled = dialledOf(url);
  const target = isFederated ? `xds://${control}/${authority}`.toLowerCase() : dialled.target;
  return { text, dialled: { ...dialled, target }, authority: authority.toLowerCase(), isFederated };
}
