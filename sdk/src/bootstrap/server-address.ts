import type { NetConnectOpts } from 'node:net';
import { MeshError } from '../errors.ts';

/** One control plane. */
export interface BootstrapServer {
  readonly address: string;
  /** `server_features` of a gRPC bootstrap (gRFC A53, A88): how far data from it is to be believed. */
  readonly features: ReadonlySet<string>;
  /** `channel_creds` of type `tls` in a gRPC bootstrap (gRFC A65); the process's own where it names none. */
  readonly tls?: ServerTlsFiles;
}

/** Files of PEM, read with each connection. */
export interface ServerTlsFiles {
  readonly roots?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface DialAddress {
  readonly connect: NetConnectOpts;
  /** For `:authority`. */
  readonly authority: string;
  /** What the server's certificate must be for, a host name or an IP address; undefined: no TLS. */
  readonly tlsName?: string;
  /** Loopback or a unix socket: what is said in plain text stays on this machine. */
  readonly isLocal: boolean;
}

const DEFAULT_XDS_PORT = 15010;
const DEFAULT_TLS_PORT = 15012;

const hostPort = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/[\]]+))(?::(?<port>\d{1,5}))?$/;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/**
 * `host:port` in plain text, `tls://host:port`, `[::1]:port`, `unix:PATH`, `unix:///PATH` (gRPC naming), `dns:///host:port`, and the
 * `http://` and `https://` forms people write by habit. Returns what is wrong with anything else.
 */
export function parseServerAddress(server: string): DialAddress | string {
  const unix = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(server)?.[1];
  // gRPC over unix sockets carries `localhost` (grpc-go, grpc-js): some servers refuse a path as :authority.
  if (unix !== undefined) return { connect: { path: unix }, authority: 'localhost', isLocal: true };
  const isTls = /^(?:tls|https|grpcs):\/\//.test(server);
  const bare = server.replace(/^(?:(?:tls|https?|grpcs):\/\/|dns:(?:\/\/\/)?|ipv[46]:)/, '').replace(/\/$/, '');
  const groups = hostPort.exec(bare)?.groups;
  const port = Number(groups?.port ?? (isTls ? DEFAULT_TLS_PORT : DEFAULT_XDS_PORT));
  const host = groups?.v6 ?? groups?.host;
  if (host === undefined || port < 1 || port > 65_535) {
    return `"${server}" is not host:port, tls://host:port, [ipv6]:port or unix:PATH`;
  }
  const isLocal = LOOPBACK.test(host);
  return { connect: { host, port }, authority: bare, isLocal, ...(isTls && { tlsName: host }) };
}

/** A token is as good as the identity it proves: it goes over TLS, or stays on this machine. */
export const mayTakeToken = (address: DialAddress | string): boolean =>
  typeof address !== 'string' && (address.tlsName !== undefined || address.isLocal);

/** Throws MESH_BOOTSTRAP_INVALID naming the source. */
export function checkServer(server: string, source: string): void {
  const address = parseServerAddress(server);
  if (typeof address === 'string') throw new MeshError('MESH_BOOTSTRAP_INVALID', `${source}: ${address}`);
}
