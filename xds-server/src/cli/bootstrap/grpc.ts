import { defaultOf } from '../../defaults.ts';
import type { BootstrapClient, CertificateFiles, ControlPlane } from './client.ts';

/** Where gRPC servers look for their listener (Istio; gRFC A36). */
const SERVER_LISTENER = 'xds.istio.io/grpc/lds/inbound/%s';
const LISTENER = 'envoy.config.listener.v3.Listener';

/** A bootstrap as gRPC's xDS clients read it from GRPC_XDS_BOOTSTRAP (gRFC A27, A29, A36, A47, A65, A71, A97). */
export function grpcBootstrap(client: BootstrapClient): object {
  const { servers, authorities, defaultAuthority, files, id, cluster, metadata, locality } = client;
  return {
    xds_servers: servers.map((server) => serverOf(server, client)),
    ...(authorities.size > 0 && {
      authorities: Object.fromEntries(
        [...authorities].map(([name, own]) => [
          name,
          {
            client_listener_resource_name_template: listenerOf(name),
            ...(own.length > 0 && { xds_servers: own.map((server) => serverOf(server, client)) }),
          },
        ]),
      ),
    }),
    ...(defaultAuthority !== undefined && {
      client_default_listener_resource_name_template: listenerOf(defaultAuthority),
    }),
    // grpc-js-xds and istiod want the generator and a locality, even an empty one.
    node: {
      id,
      cluster,
      metadata: { ...metadata, GENERATOR: 'grpc' },
      locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
    },
    ...(files !== undefined && {
      certificate_providers: { default: { plugin_name: 'file_watcher', config: watched(files) } },
    }),
    server_listener_resource_name_template: SERVER_LISTENER,
  };
}

const listenerOf = (authority: string): string => `xdstp://${authority}/${LISTENER}/%s`;

/** The same keys for a provider and for `tls` credentials (gRFC A29, A65). */
const watched = ({ certificate, key, roots }: CertificateFiles): object => ({
  certificate_file: certificate,
  private_key_file: key,
  ca_certificate_file: roots,
  refresh_interval: `${defaultOf('certificateRefreshMs') / 1_000}s`,
});

function serverOf({ address, isTls }: ControlPlane, { files, roots, features, tokenFile }: BootstrapClient): object {
  const config = { ...(files && watched(files)), ...(roots !== undefined && { ca_certificate_file: roots }) };
  return {
    server_uri: address,
    channel_creds: [isTls ? { type: 'tls', config } : { type: 'insecure' }],
    // A token is for TLS: gRPC sends it over nothing else.
    ...(isTls &&
      tokenFile !== undefined && {
        call_creds: [{ type: 'jwt_token_file', config: { jwt_token_file: tokenFile } }],
      }),
    server_features: ['xds_v3', ...features],
  };
}
