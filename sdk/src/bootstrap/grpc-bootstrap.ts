import { MeshError } from '../errors.ts';
import { isXdstp, nameFromTemplate, parseXdstp } from '../model/resource-name.ts';
import type { CredentialSettings } from './identity-settings.ts';
import { type BootstrapServer, checkServer, parseServerAddress, type ServerTlsFiles } from './server-address.ts';
import { type Given, invalid } from './values.ts';

/** What is read of gRPC's bootstrap (gRFC A27; Istio's agent writes the same shape). */
export interface GrpcBootstrap {
  readonly servers: readonly BootstrapServer[];
  /** By name; an empty list means the top level's servers (gRFC A47). */
  readonly authorities: ReadonlyMap<string, readonly BootstrapServer[]>;
  /** `client_default_listener_resource_name_template` (gRFC A47). */
  readonly listenerTemplate: string;
  /** `client_listener_resource_name_template` of authorities (gRFC A47). */
  readonly authorityTemplates: ReadonlyMap<string, string>;
  /** `server_listener_resource_name_template` (gRFC A36). */
  readonly serverListenerTemplate: string | undefined;
  readonly id: string | undefined;
  readonly cluster: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string } | undefined;
  /** `certificate_providers`: the one called `default`, else the only one there is (gRFC A29). */
  readonly provider: Extract<CredentialSettings, { kind: 'files' }> | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Fields that are not known are ignored, as A27 asks. */
export function parseGrpcBootstrap(json: string, source: string): GrpcBootstrap {
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch (cause) {
    throw new MeshError('MESH_BOOTSTRAP_INVALID', `${source} is not JSON`, { cause });
  }
  if (!isObject(root)) throw invalid({ source, value: json.slice(0, 40) }, 'a JSON object with xds_servers and node');
  const node = isObject(root.node) ? root.node : {};
  const place = isObject(node.locality) ? node.locality : undefined;
  const authorities = readAuthorities(root.authorities, source);
  return {
    servers: readServers(root.xds_servers, `${source}: xds_servers`),
    authorities,
    listenerTemplate: readTemplate(
      root.client_default_listener_resource_name_template,
      authorities,
      `${source}: client_default_listener_resource_name_template`,
    ),
    authorityTemplates: readAuthorityTemplates(root.authorities),
    serverListenerTemplate:
      text(root.server_listener_resource_name_template) &&
      readTemplate(
        root.server_listener_resource_name_template,
        authorities,
        `${source}: server_listener_resource_name_template`,
      ),
    id: text(node.id),
    cluster: text(node.cluster),
    metadata: isObject(node.metadata) ? node.metadata : {},
    locality: place && {
      region: text(place.region) ?? '',
      zone: text(place.zone) ?? '',
      subZone: text(place.sub_zone) ?? '',
    },
    provider: readProvider(root.certificate_providers, `${source}: certificate_providers`),
  };
}

function readServers(list: unknown, source: string): BootstrapServer[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid({ source, value: JSON.stringify(list) ?? 'missing' }, 'a list of servers');
  }
  const servers = new Map<string, BootstrapServer>();
  for (const [index, server] of list.entries()) {
    const read = readServer(server, `${source}[${index}]`);
    servers.set(read.address, servers.get(read.address) ?? read);
  }
  return [...servers.values()];
}

function readServer(server: unknown, at: string): BootstrapServer {
  const uri = isObject(server) ? text(server.server_uri) : undefined;
  if (uri === undefined || !isObject(server)) {
    throw invalid({ source: `${at}.server_uri`, value: JSON.stringify(server) ?? '' }, 'host:port or unix:PATH');
  }
  checkServer(uri, `${at}.server_uri`);
  const tls = readCredentials(server.channel_creds, {
    source: `${at}.channel_creds`,
    value: JSON.stringify(server.channel_creds) ?? '',
  });
  const parsed = parseServerAddress(uri);
  const isBare = typeof parsed !== 'string' && parsed.tlsName === undefined && !uri.startsWith('unix:');
  const address = tls !== undefined && isBare ? `tls://${parsed.authority}` : uri;
  const features = Array.isArray(server.server_features) ? server.server_features : [];
  return {
    address,
    // Unknown ones are ignored (gRFC A27).
    features: new Set(features.filter((feature: unknown) => typeof feature === 'string')),
    ...(tls !== undefined && { tls }),
  };
}

function readAuthorities(given: unknown, source: string): ReadonlyMap<string, readonly BootstrapServer[]> {
  const authorities = new Map<string, readonly BootstrapServer[]>();
  if (given === undefined) return authorities;
  if (!isObject(given)) throw invalid({ source: `${source}: authorities`, value: JSON.stringify(given) }, 'an object');
  for (const [name, entry] of Object.entries(given)) {
    const at = `${source}: authorities["${name}"]`;
    if (!isObject(entry)) throw invalid({ source: at, value: JSON.stringify(entry) }, 'an object');
    const template = entry.client_listener_resource_name_template;
    const start = `xdstp://${name}/`;
    if (template !== undefined && !(typeof template === 'string' && template.startsWith(start))) {
      const value = typeof template === 'string' ? template : JSON.stringify(template);
      throw invalid(
        { source: `${at}.client_listener_resource_name_template`, value },
        `a name that begins with ${start}`,
      );
    }
    const list = entry.xds_servers;
    authorities.set(name.toLowerCase(), list === undefined ? [] : readServers(list, `${at}.xds_servers`));
  }
  return authorities;
}

/** Of what has been looked at. */
function readAuthorityTemplates(given: unknown): ReadonlyMap<string, string> {
  const templates = new Map<string, string>();
  for (const [name, entry] of Object.entries(isObject(given) ? given : {})) {
    const template = isObject(entry) ? text(entry.client_listener_resource_name_template) : undefined;
    if (template !== undefined) templates.set(name.toLowerCase(), template);
  }
  return templates;
}

/** An authority that it names must be there (gRFC A47). */
function readTemplate(given: unknown, authorities: GrpcBootstrap['authorities'], source: string): string {
  if (given === undefined || given === '') return '%s';
  if (typeof given !== 'string') throw invalid({ source, value: JSON.stringify(given) }, 'text, %s for the target');
  if (!isXdstp(given)) return given;
  const name = parseXdstp(nameFromTemplate(given, 'target'));
  if (typeof name === 'string') throw invalid({ source, value: given }, `an xdstp name: ${name}`);
  if (!authorities.has(name.authority)) {
    throw invalid(
      { source, value: given },
      `an authority of "authorities": ${[...authorities.keys()].join(', ') || 'none is there'}`,
    );
  }
  return given;
}

/** gRFC A27: the first type a client supports is taken. undefined: plain text. */
function readCredentials(creds: unknown, given: Given): ServerTlsFiles | undefined {
  if (creds === undefined) return undefined;
  const known = Array.isArray(creds)
    ? creds.filter(isObject).find(({ type }) => type === 'insecure' || type === 'tls')
    : undefined;
  if (known === undefined) throw invalid(given, 'a list with {"type": "tls"} or {"type": "insecure"}');
  if (known.type === 'insecure') return undefined;
  const config = isObject(known.config) ? known.config : {};
  return filesOf(config, given.source);
}

/** The configuration of `tls` credentials and of the `file_watcher` provider are alike (gRFC A65). */
function filesOf(config: Json, source: string): ServerTlsFiles {
  const certificate = text(config.certificate_file);
  const key = text(config.private_key_file);
  const roots = text(config.ca_certificate_file);
  if ((certificate === undefined) !== (key === undefined)) {
    const value = JSON.stringify(config);
    throw invalid({ source, value }, 'certificate_file and private_key_file together, or neither');
  }
  return {
    ...(roots !== undefined && { roots }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

/** Other plugins than `file_watcher` are passed over. */
function readProvider(given: unknown, source: string): GrpcBootstrap['provider'] {
  if (given === undefined) return undefined;
  if (!isObject(given)) throw invalid({ source, value: JSON.stringify(given) }, 'an object');
  const watchers = Object.entries(given).filter(([, one]) => isObject(one) && one.plugin_name === 'file_watcher');
  const [name, found] = watchers.find(([instance]) => instance === 'default') ?? watchers[0] ?? [];
  if (!isObject(found) || (name !== 'default' && watchers.length > 1)) return undefined;
  const { certificate, key, roots } = filesOf(
    isObject(found.config) ? found.config : {},
    `${source}["${name}"].config`,
  );
  if (certificate === undefined || key === undefined) return undefined;
  return { kind: 'files', certificate, key, ...(roots !== undefined && { roots }) };
}
