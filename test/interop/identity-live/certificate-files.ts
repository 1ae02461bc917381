import path from 'node:path';
import { main } from '../../../xds-server/src/main.ts';
import type { World } from '../../harness/secure-world.ts';

/** In the words of a gRPC bootstrap. */
export interface Files {
  readonly certificate_file: string;
  readonly private_key_file: string;
  readonly ca_certificate_file: string;
}

/** By the command that people have for it. */
export async function issue(world: World, id: string, name: string, ca = world.caFolder): Promise<Files> {
  const out = path.join(world.folder, name);
  const code = await main(['cert', 'issue', '--ca', ca, '--id', id, '--out', out, '--replace']);
  if (code !== 0) throw new Error(`inmesh cert issue: exit code ${code}`);
  const at = (file: string): string => path.join(out, file);
  return {
    certificate_file: at('cert-chain.pem'),
    private_key_file: at('key.pem'),
    ca_certificate_file: at('root-cert.pem'),
  };
}

/** A bootstrap with certificates by file; `tls`: they are shown to the control plane too (gRFC A65). */
export function bootstrap(world: World, account: string, files: Files, tls: boolean): object {
  const server = {
    server_uri: `127.0.0.1:${tls ? world.securePort : world.plainPort}`,
    channel_creds: tls ? [{ type: 'tls', config: { ...files, refresh_interval: '1s' } }] : [{ type: 'insecure' }],
    server_features: ['xds_v3'],
  };
  return {
    xds_servers: [server],
    node: { id: `grpc~${account}`, locality: {}, metadata: { NAMESPACE: 'shop', LABELS: { app: account } } },
    certificate_providers: {
      default: { plugin_name: 'file_watcher', config: { ...files, refresh_interval: '1s' } },
    },
    server_listener_resource_name_template: 'xds.istio.io/grpc/lds/inbound/%s',
  };
}
