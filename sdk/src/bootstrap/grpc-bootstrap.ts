import { MeshError } from '../errors.ts';
import { type Given, invalid } from './values.ts';

/** What is read of gRPC's bootstrap (gRFC A27; Istio's agent writes the same shape). */
export interface GrpcBootstrap {
  readonly servers: readonly string[];
  /** server_features of the first server: they say how data from it is to be believed. */
  readonly serverFeatures: ReadonlySet<string>;
  readonly id: string | undefined;
  readonly cluster: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string } | undefined;
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
  return {
    servers: readServers(root.xds_servers, source),
    serverFeatures: readFeatures(root.xds_servers),
    id: text(node.id),
    cluster: text(node.cluster),
    metadata: isObject(node.metadata) ? node.metadata : {},
    locality: place && {
      region: text(place.region) ?? '',
      zone: text(place.zone) ?? '',
      subZone: text(place.sub_zone) ?? '',
    },
  };
}

/** Unknown features are ignored (gRFC A27). */
function readFeatures(servers: unknown): ReadonlySet<string> {
  const first: unknown = Array.isArray(servers) ? servers[0] : undefined;
  const list = isObject(first) && Array.isArray(first.server_features) ? first.server_features : [];
  return new Set(list.filter((feature: unknown) => typeof feature === 'string'));
}

function readServers(list: unknown, source: string): string[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid({ source: `${source}: xds_servers`, value: JSON.stringify(list) ?? 'missing' }, 'a list of servers');
  }
  return list.map((server: unknown, index) => {
    const at = `${source}: xds_servers[${index}]`;
    const uri = isObject(server) ? text(server.server_uri) : undefined;
    if (uri === undefined || !isObject(server)) {
      throw invalid({ source: `${at}.server_uri`, value: JSON.stringify(server) ?? '' }, 'host:port or unix:PATH');
    }
    requireInsecure(server.channel_creds, {
      source: `${at}.channel_creds`,
      value: JSON.stringify(server.channel_creds) ?? '',
    });
    return uri;
  });
}

/** gRFC A27: the first type a client supports is taken. Ours is `insecure` alone, for loopback and unix sockets. */
function requireInsecure(creds: unknown, given: Given): void {
  if (creds === undefined) return;
  const known = Array.isArray(creds) && creds.some((entry: unknown) => isObject(entry) && entry.type === 'insecure');
  if (!known) throw invalid(given, 'a list with {"type": "insecure"}');
}
