import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readBootstrap } from '@inmesh/sdk/internal/bootstrap/bootstrap';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../main.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bootstrap-'));
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const out = (): string => path.join(folder, 'out');

async function made(kind: string, ...args: readonly string[]): Promise<string> {
  expect(await main(['bootstrap', '--kind', kind, ...args, '--out', out()])).toBe(0);
  return readFileSync(out(), 'utf8');
}

async function refused(...args: readonly string[]): Promise<string> {
  const said = vi.mocked(process.stderr.write);
  said.mockClear();
  expect(await main(['bootstrap', ...args])).toBe(2);
  return said.mock.calls.map(([text]) => String(text)).join('');
}

const noFile = (): string => {
  throw new Error('no file');
};

describe('inmesh bootstrap', () => {
  it('writes a file for its owner alone, also over one that others may read', async () => {
    await made('grpc');
    expect(statSync(out()).mode & 0o777).toBe(0o600);
    chmodSync(out(), 0o644);
    await made('grpc');
    expect(statSync(out()).mode & 0o777).toBe(0o600);
  });

  it('gRPC: servers in order of preference, a place even where none is said, Istio’s name of server listeners', async () => {
    const text = await made('grpc', '--xds', 'tls://cp.example:15012', '--xds', 'unix:/run/xds', '--label', 'app=web');
    expect(JSON.parse(text)).toEqual({
      xds_servers: [
        {
          server_uri: 'cp.example:15012',
          channel_creds: [{ type: 'tls', config: {} }],
          server_features: ['xds_v3'],
        },
        { server_uri: 'unix:/run/xds', channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] },
      ],
      node: {
        id: 'sidecar~127.0.0.1~client.default~default.svc.cluster.local',
        cluster: 'client.default',
        metadata: { WORKLOAD_NAME: 'client', INSTANCE_IPS: '127.0.0.1', LABELS: { app: 'web' }, GENERATOR: 'grpc' },
        locality: { region: '', zone: '', sub_zone: '' },
      },
      server_listener_resource_name_template: 'xds.istio.io/grpc/lds/inbound/%s',
    });
  });

  it('gRPC: what it writes the SDK reads: authorities, features, a token, the place', async () => {
    const token = path.join(folder, 'token');
    writeFileSync(token, 'x');
    const text = await made(
      'grpc',
      ...['--xds', 'tls://cp.example:15012', '--token-file', token, '--locality', 'eu/a', '--namespace', 'shop'],
      ...['--authority', 'Mesh.example', '--authority', 'other.example=b:1,c:2', '--default-authority', 'mesh.example'],
      ...['--server-feature', 'ignore_resource_deletion', '--server-feature', 'fail_on_data_errors'],
    );
    const features = new Set(['xds_v3', 'ignore_resource_deletion', 'fail_on_data_errors']);
    expect(JSON.parse(text).xds_servers[0].call_creds).toEqual([
      { type: 'jwt_token_file', config: { jwt_token_file: token } },
    ]);
    expect(readBootstrap({ env: { GRPC_XDS_BOOTSTRAP_CONFIG: text }, readFile: noFile })).toMatchObject({
      servers: [{ address: 'tls://cp.example:15012', features }],
      authorities: new Map([
        ['mesh.example', []],
        [
          'other.example',
          [
            { address: 'b:1', features },
            { address: 'c:2', features },
          ],
        ],
      ]),
      listenerTemplate: 'xdstp://mesh.example/envoy.config.listener.v3.Listener/%s',
      namespace: 'shop',
      node: { locality: { region: 'eu', zone: 'a', subZone: '' } },
    });
  });

  it('the SDK: variables that it reads', async () => {
    const text = await made(
      'sdk',
      ...[
        '--xds',
        'a:1',
        '--xds',
        'unix:/run/xds',
        '--namespace',
        'shop',
        '--service-account',
        'web',
        '--workload',
        'web',
      ],
      ...['--label', 'app=web', '--label', 'version=v2', '--locality', 'eu'],
    );
    const env = Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/s)),
    );
    expect(readBootstrap({ env, readFile: noFile })).toMatchObject({
      servers: [{ address: 'a:1' }, { address: 'unix:/run/xds' }],
      namespace: 'shop',
      serviceAccount: 'web',
      workload: 'web',
      labels: new Map([
        ['app', 'web'],
        ['version', 'v2'],
      ]),
      node: { locality: { region: 'eu', zone: '', subZone: '' } },
    });
  });

  it('Envoy: control planes by priority, a listener for each target', async () => {
    const text = await made(
      'envoy',
      ...['--xds', '127.0.0.1:1', '--xds', '[::1]:2', '--namespace', 'shop'],
      ...['--outbound', 'reviews:9080=127.0.0.1:8001', '--outbound', 'api.example.com:443=unix:/run/api'],
    );
    const { static_resources: resources } = JSON.parse(text);
    expect(resources.clusters[0]).toMatchObject({
      type: 'STATIC',
      load_assignment: { endpoints: [{ priority: 0 }, { priority: 1 }] },
    });
    const routes = resources.listeners.map(
      ({ filter_chains: [chain] }: { filter_chains: [{ filters: [{ typed_config: { rds: object } }] }] }) =>
        chain.filters[0].typed_config.rds,
    );
    expect(routes).toMatchObject([
      { route_config_name: 'outbound|9080||reviews.shop.svc.cluster.local' },
      { route_config_name: 'outbound|443||api.example.com' },
    ]);
  });

  it('issues certificates, and takes the names of whom they prove; others are refused', async () => {
    const ca = path.join(folder, 'ca');
    const certs = path.join(folder, 'web');
    const { createAuthority } = await import('../ca/authority.ts');
    const authority = await createAuthority({ directory: ca, trustDomain: 'cluster.local', onProblem: () => {} });
    authority.close();
    const id = 'spiffe://cluster.local/ns/shop/sa/web';
    expect(await main(['cert', 'issue', '--ca', ca, '--id', id, '--out', certs])).toBe(0);
    const {
      node,
      certificate_providers: providers,
      xds_servers: servers,
    } = JSON.parse(await made('grpc', '--xds', 'tls://localhost:1', '--certs', certs));
    expect(node.metadata).toMatchObject({ NAMESPACE: 'shop', SERVICE_ACCOUNT: 'web' });
    const config = {
      certificate_file: path.join(certs, 'cert-chain.pem'),
      private_key_file: path.join(certs, 'key.pem'),
      ca_certificate_file: path.join(certs, 'root-cert.pem'),
      refresh_interval: '60s',
    };
    expect(providers).toEqual({ default: { plugin_name: 'file_watcher', config } });
    expect(servers[0].channel_creds).toEqual([{ type: 'tls', config }]);
    expect(await refused('--kind', 'grpc', '--certs', certs, '--namespace', 'other')).toMatch(
      /--namespace: got "other", the certificate of --certs is of "shop"/,
    );
  });

  it.each([
    [['--kind', 'other'], /--kind: got "other", want grpc, envoy or sdk/],
    [['--kind', 'grpc', '--xds', 'nowhere'], /--xds: got "nowhere", want host:port/],
    [['--kind', 'sdk', '--workload', 'a\nNODE_OPTIONS=--import=/x'], /INMESH_WORKLOAD: got "a\\nNODE_OPTIONS/],
    [['--kind', 'sdk', '--namespace', 'a #b'], /INMESH_NAMESPACE: got "a #b"/],
    [['--kind', 'sdk', '--label', 'a=b,c=d'], /--label: got "a=b,c=d", a comma/],
    [
      ['--kind', 'envoy', '--outbound', 'a.b") os.exit(:1=127.0.0.1:1'],
      /--outbound: got "a.b"\) os.exit\(", want a host/,
    ],
    [['--kind', 'envoy', '--namespace', '")', '--outbound', 'a:1=127.0.0.1:1'], /--outbound: got "a."\)/],
    [['--kind', 'envoy', '--xds', 'tls://cp:1'], /--ca-root: wanted for --xds tls:\/\/…, as Envoy trusts anybody/],
    [['--kind', 'grpc', '--xds', 'tls://unix:/x'], /a unix socket has no TLS/],
    [['--kind', 'grpc', '--certs', '/nowhere'], /--certs: \/nowhere\/cert-chain.pem is missing/],
    [['--kind', 'grpc', '--default-authority', 'a'], /--default-authority: got "a", want one of --authority/],
    [['--kind', 'grpc', '--server-feature', 'x'], /--server-feature: got "x", want one of ignore_resource_deletion/],
    [['--kind', 'grpc', '--locality', 'a/b/c/d'], /--locality: got "a\/b\/c\/d"/],
    [['--kind', 'grpc', '--outbound', 'a:1=b:2'], /--outbound: for --kind envoy/],
    [['--kind', 'envoy', '--outbound', 'a=b:2'], /--outbound: got "a=b:2", want HOST:PORT=ADDRESS/],
    [['--kind', 'envoy', '--xds', 'a:1', '--xds', 'tls://b:2'], /Envoy takes TLS for all of them or for none/],
    [['--kind', 'envoy', '--authority', 'a'], /Envoy asks for plain names/],
    [['--kind', 'sdk', '--authority', 'a'], /--kind grpc, which the SDK reads too/],
    [['--kind', 'sdk', '--token-file', '/nowhere'], /--token-file: \/nowhere does not exist/],
  ])('%s is a mistake of the caller', async (args, message) => {
    expect(await refused(...args)).toMatch(message);
  });
});
