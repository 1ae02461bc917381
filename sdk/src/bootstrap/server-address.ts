import type { NetConnectOpts } from 'node:net';
import { MeshError } from '../errors.ts';

/** One control plane. */
export interface BootstrapServer {
  readonly address: string;
  /** `server_features` of a gRPC bootstrap (gRFC A53, A88): how far data from it is to be believed. */
  readonly features: ReadonlySet<string>;
}

export interface DialAddress {
  readonly connect: NetConnectOpts;
  /** For `:authority`. */
  readonly authority: string;
}

const DEFAULT_XDS_PORT = 15010;

const hostPort = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/[\]]+))(?::(?<port>\d{1,5}))?$/;

/**
 * `host:port`, `[::1]:port`, `unix:PATH`, `unix:///PATH` (gRPC naming), `dns:///host:port`, and the `http://` form people
 * write by habit. Returns what is wrong with anything else.
 */
export function parseServerAddress(server: string): DialAddress | string {
  const unix = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(server)?.[1];
  // gRPC over unix sockets carries `localhost` (grpc-go, grpc-js): some servers refuse a path as :authority.
  if (unix !== undefined) return { connect: { path: unix }, authority: 'localhost' };
  if (/^(?:https|xds|grpcs):/.test(server))
    return `"${server}": TLS to the control plane is not available yet, write host:port`;
  const bare = server.replace(/^(?:http:\/\/|dns:(?:\/\/\/)?|ipv[46]:)/, '').replace(/\/$/, '');
  const groups = hostPort.exec(bare)?.groups;
  const port = Number(groups?.port ?? DEFAULT_XDS_PORT);
  const host = groups?.v6 ?? groups?.host;
  if (host === undefined || port < 1 || port > 65_535) return `"${server}" is not host:port, [ipv6]:port or unix:PATH`;
  return { connect: { host, port }, authority: bare };
}

/** Throws MESH_BOOTSTRAP_INVALID naming the source. */
export function checkServer(server: string, source: string): void {
  const address = parseServerAddress(server);
  if (typeof address === 'string') throw new MeshError('MESH_BOOTSTRAP_INVALID', `${source}: ${address}`);
}
