import { parseTarget } from '../../translate/names.ts';
import { addressOf, UsageError } from '../usage.ts';

/** A client of the control plane, as a bootstrap describes it. */
export interface BootstrapClient {
  /** In order of preference (gRFC A71). */
  readonly servers: readonly ControlPlane[];
  /** Of xdstp names (gRFC A47); no servers: those above. */
  readonly authorities: ReadonlyMap<string, readonly ControlPlane[]>;
  /** The authority in which plain targets are looked up. */
  readonly defaultAuthority?: string;
  /** `server_features` of every server. */
  readonly features: readonly string[];
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly locality: Locality;
  readonly names: MemberNames;
  /** Its certificate, key and roots, as absolute paths. */
  readonly files?: CertificateFiles;
  /** The roots that vouch for the control plane. */
  readonly roots?: string;
  readonly tokenFile?: string;
  /** Envoy's listeners. */
  readonly outbound: readonly Outbound[];
  readonly admin: string;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface MemberNames {
  /** undefined: not said, so that what is proven counts. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly workload: string;
  readonly labels: ReadonlyMap<string, string>;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** `host:port` or `unix:PATH`. */
export interface ControlPlane {
  readonly address: string;
  readonly isTls: boolean;
}

/** What arrives at `address` is for `host:port`. */
export interface Outbound {
  readonly host: string;
  readonly port: number;
  readonly address: string;
}

const TLS = 'tls://';

/** `host:port`, `tls://host:port` or `unix:PATH`. */
export function controlPlaneOf(text: string, flag: string): ControlPlane {
  const isTls = text.startsWith(TLS);
  const address = addressOf(isTls ? text.slice(TLS.length) : text, flag);
  if (isTls && address.startsWith('unix:')) throw new UsageError(`${flag}: got "${text}", a unix socket has no TLS`);
  return { address, isTls };
}

/** `NAME`, or `NAME=ADDRESS[,ADDRESS…]` with servers of its own. */
export function authorityOf(text: string): readonly [string, readonly ControlPlane[]] {
  const at = text.indexOf('=');
  const name = (at < 0 ? text : text.slice(0, at)).toLowerCase();
  if (!/^[a-z0-9_.~:-]*$/.test(name)) throw new UsageError(`--authority: got "${name}", want a host name`);
  const servers = at < 0 ? [] : text.slice(at + 1).split(',');
  return [name, servers.map((server) => controlPlaneOf(server, '--authority'))];
}

/** `region/zone/sub-zone`. */
export function localityOf(text: string | undefined): Locality {
  const [region = '', zone = '', subZone = '', more] = (text ?? '').split('/');
  if (more !== undefined) throw new UsageError(`--locality: got "${text}", want REGION/ZONE/SUB-ZONE`);
  return { region, zone, subZone };
}

/** `HOST:PORT=ADDRESS`. A name without a dot, or one that ends with `.svc`, is completed as Kubernetes does. */
export function outboundOf(text: string, namespace: string): Outbound {
  const [target = '', address] = text.split('=');
  const parsed = parseTarget(target);
  if (parsed === undefined || address === undefined)
    throw new UsageError(`--outbound: got "${text}", want HOST:PORT=ADDRESS, as in reviews:9080=127.0.0.1:8001`);
  const { host, port } = parsed;
  const name = completed(host, namespace);
  // It becomes part of a program (Envoy's Lua filter).
  if (!HOST.test(name)) throw new UsageError(`--outbound: got "${name}", want a host name`);
  return { host: name, port, address: addressOf(address, '--outbound') };
}

const HOST = /^[a-z0-9._:-]+$/;

function completed(host: string, namespace: string): string {
  if (!host.includes('.')) return `${host}.${namespace}.svc.cluster.local`;
  return host.endsWith('.svc') ? `${host}.cluster.local` : host;
}
