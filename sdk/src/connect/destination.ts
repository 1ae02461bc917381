import { isIP } from 'node:net';
import { MeshError } from '../errors.ts';

/** What `mesh.connect` is asked for. */
export interface ConnectOptions {
  /** The name or address an application would dial; IPv6 with or without brackets. */
  readonly host: string;
  readonly port: number;
  /** Ends the attempt: the promise rejects with its reason. Of no effect once there is a connection. */
  readonly signal?: AbortSignal;
  /** The name TLS will ask for on this connection, where that is not the host: `tls` routes match it. */
  readonly serverName?: string;
}

/** Where a connection is wanted to. */
export interface Destination {
  /** Lower case, without brackets or a trailing dot. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, as discovery knows it. */
  readonly target: string;
  readonly serverName: string | undefined;
  /** The host, where it is an address. */
  readonly address: string | undefined;
}

/** Throws MESH_CONFIG_INVALID for what is no host or no port. */
export function destinationOf({ host, port, serverName }: ConnectOptions): Destination {
  const lower = String(host).toLowerCase();
  const name = lower.startsWith('[') && lower.endsWith(']') ? lower.slice(1, -1) : lower.replace(/\.$/, '');
  const isAddress = isIP(name) !== 0;
  if (!isAddress && !/^[\w*][\w.*-]*$/.test(name)) {
    throw new MeshError('MESH_CONFIG_INVALID', `"${host}" is no host name and no address`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new MeshError('MESH_CONFIG_INVALID', `${port} is no port: 1 to 65535 are`);
  }
  return {
    host: name,
    port,
    target: name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`,
    serverName: serverName ?? (isAddress ? undefined : name),
    address: isAddress ? name : undefined,
  };
}
