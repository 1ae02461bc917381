import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BootstrapInput, readBootstrap } from './bootstrap.ts';
import { VARIABLES } from './variables.ts';
import { SDK_VERSION } from './version.ts';

const noFile = (path: string): string => {
  throw new Error(`ENOENT: ${path}`);
};
const read = (env: Record<string, string>, rest: Partial<BootstrapInput> = {}) =>
  readBootstrap({ env, readFile: noFile, ...rest });

const ISTIO = JSON.stringify({
  xds_servers: [
    { server_uri: 'unix:///etc/istio/proxy/XDS', channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] },
  ],
  node: {
    id: 'sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local',
    metadata: { NAMESPACE: 'shop', SERVICE_ACCOUNT: 'web', GENERATOR: 'grpc', LABELS: { app: 'web' } },
    locality: { region: 'eu', zone: 'a' },
  },
});

describe('readBootstrap', () => {
  it('is off when nothing names a control plane', () => {
    expect(read({})).toBeUndefined();
    expect(read({ INMESH_XDS: '' })).toBeUndefined();
  });

  it('is an error instead when the mesh is required', () => {
    expect(() => read({ INMESH_REQUIRED: '1' })).toThrow(/MESH_BOOTSTRAP_INVALID.*INMESH_XDS/);
  });

  it('reads every INMESH_ variable', () => {
    const bootstrap = read({
      INMESH_XDS: '127.0.0.1:15010, unix:/run/xds',
      INMESH_PROTOCOL: 'sotw',
      INMESH_NAMESPACE: 'bookinfo',
      INMESH_WORKLOAD: 'reviews-v2',
      INMESH_SERVICE_ACCOUNT: 'bookinfo-reviews',
      INMESH_LABELS: 'app=reviews,tier=back',
      INMESH_LOCALITY: 'eu/a',
      INMESH_SERVICE: 'reviews',
      INMESH_PORT: '9080',
      INMESH_VERSION: 'v2',
      INMESH_OUTBOUND_POLICY: 'REGISTRY_ONLY',
      INMESH_SNAPSHOT: '/tmp/s',
      INMESH_REQUIRED: 'yes',
      INMESH_LOG: 'debug',
    });
    expect(bootstrap).toMatchObject({
      servers: [{ address: '127.0.0.1:15010' }, { address: 'unix:/run/xds' }],
      protocol: 'sotw',
      namespace: 'bookinfo',
      workload: 'reviews-v2',
      serviceAccount: 'bookinfo-reviews',
      service: { name: 'reviews', port: 9080, version: 'v2' },
      outboundPolicy: 'REGISTRY_ONLY',
      snapshotPath: '/tmp/s',
      required: true,
      log: 'debug',
    });
    expect(bootstrap?.labels).toEqual(
      new Map([
        ['app', 'reviews'],
        ['version', 'v2'],
        ['tier', 'back'],
      ]),
    );
    expect(bootstrap?.node.locality).toEqual({ region: 'eu', zone: 'a', subZone: '' });
    expect(bootstrap?.node.metadata).toMatchObject({
      NAMESPACE: 'bookinfo',
      INMESH_KIND: 'sdk',
      LABELS: { version: 'v2' },
    });
  });

  it("reads gRPC's bootstrap in the shape Istio's agent writes, from a file or inline", () => {
    const inline = read({ GRPC_XDS_BOOTSTRAP_CONFIG: ISTIO });
    const file = readBootstrap({ env: { GRPC_XDS_BOOTSTRAP: '/b.json' }, readFile: () => ISTIO });
    expect(file).toEqual(inline);
    expect(inline).toMatchObject({
      servers: [{ address: 'unix:///etc/istio/proxy/XDS', features: new Set(['xds_v3']) }],
      namespace: 'shop',
      serviceAccount: 'web',
      node: {
        id: 'sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local',
        locality: { region: 'eu', zone: 'a', subZone: '' },
      },
    });
    expect(inline?.node.metadata.GENERATOR).toBe('grpc');
  });

  it('lets an option win over its variable, and the variable over the gRPC bootstrap', () => {
    const env = { GRPC_XDS_BOOTSTRAP_CONFIG: ISTIO, INMESH_NAMESPACE: 'b', INMESH_XDS: 'x:1' };
    expect(read(env)).toMatchObject({ namespace: 'b', servers: [{ address: 'x:1' }] });
    expect(read(env, { options: { namespace: 'c', xds: ['y:2'] } })).toMatchObject({
      namespace: 'c',
      servers: [{ address: 'y:2' }],
    });
  });

  it('tries several control planes in order, each with what is said of it; one that is named twice is one', () => {
    const config = JSON.stringify({
      xds_servers: [
        { server_uri: 'a:1', server_features: ['xds_v3', 'fail_on_data_errors', 7] },
        { server_uri: 'b:1' },
        { server_uri: 'a:1' },
      ],
    });
    expect(read({ GRPC_XDS_BOOTSTRAP_CONFIG: config })?.servers).toEqual([
      { address: 'a:1', features: new Set(['xds_v3', 'fail_on_data_errors']) },
      { address: 'b:1', features: new Set() },
    ]);
    expect(read({ INMESH_XDS: 'a:1,b:1, a:1' })?.servers.map(({ address }) => address)).toEqual(['a:1', 'b:1']);
  });

  const federated = (fields: object) => JSON.stringify({ xds_servers: [{ server_uri: 'a:1' }], ...fields });
  const TEMPLATE = 'xdstp://xds.example.com/envoy.config.listener.v3.Listener/%s?project=7';

  it('reads authorities and the name of listeners (gRFC A47)', () => {
    const config = federated({
      client_default_listener_resource_name_template: TEMPLATE,
      authorities: {
        'xds.example.com': { client_listener_resource_name_template: 'xdstp://xds.example.com/x/%s' },
        'other.example.com': { xds_servers: [{ server_uri: 'b:1', server_features: ['ignore_resource_deletion'] }] },
        '': {},
      },
    });
    const bootstrap = read({ GRPC_XDS_BOOTSTRAP_CONFIG: config });
    expect(bootstrap?.listenerTemplate).toBe(TEMPLATE);
    expect(bootstrap?.authorities).toEqual(
      new Map([
        ['xds.example.com', []],
        ['other.example.com', [{ address: 'b:1', features: new Set(['ignore_resource_deletion']) }]],
        ['', []],
      ]),
    );
    expect(bootstrap?.authorityTemplates).toEqual(new Map([['xds.example.com', 'xdstp://xds.example.com/x/%s']]));
    expect(read({ INMESH_XDS: 'a:1' })).toMatchObject({ listenerTemplate: '%s', authorities: new Map() });
  });

  it("the name of a server's listener (gRFC A36); Istio's where none is given", () => {
    const config = federated({
      server_listener_resource_name_template: 'grpc/server?xds.resource.listening_address=%s',
    });
    expect(read({ GRPC_XDS_BOOTSTRAP_CONFIG: config })?.serverListenerTemplate).toBe(
      'grpc/server?xds.resource.listening_address=%s',
    );
    expect(read({ INMESH_XDS: 'a:1' })?.serverListenerTemplate).toBe('xds.istio.io/grpc/lds/inbound/%s');
  });

  it.each<[string, object, RegExp]>([
    ['an authority that is none', { authorities: { a: 7 } }, /authorities\["a"\] is "7", allowed: an object/],
    ['authorities that are none', { authorities: [] }, /authorities is "\[\]"/],
    [
      'a template of another authority',
      { authorities: { a: { client_listener_resource_name_template: 'xdstp://b/x/%s' } } },
      /authorities\["a"\].client_listener_resource_name_template is "xdstp:..b.x.%s", allowed: .*xdstp:..a./,
    ],
    ['an authority with an empty list', { authorities: { a: { xds_servers: [] } } }, /authorities\["a"\].xds_servers/],
    [
      'a server that cannot be reached this way',
      { authorities: { a: { xds_servers: [{ server_uri: 'xds://b' }] } } },
      /authorities\["a"\].xds_servers\[0\].server_uri: .*tls:/,
    ],
    [
      'a template without its authority',
      { client_default_listener_resource_name_template: TEMPLATE },
      /client_default_listener_resource_name_template .*allowed: an authority/,
    ],
    [
      'a template that is no name',
      { client_default_listener_resource_name_template: 'xdstp://a/%s' },
      /client_default_listener_resource_name_template .*an xdstp name/,
    ],
    ['a template that is no text', { client_default_listener_resource_name_template: 7 }, /text, %s/],
  ])('names %s', (_what, fields, expected) => {
    expect(() => read({ GRPC_XDS_BOOTSTRAP_CONFIG: federated(fields) })).toThrow(expected);
  });

  it('needs no address where a transport is given', () => {
    expect(read({}, { hasTransport: true })).toMatchObject({ servers: [], namespace: 'default' });
  });

  it.each([
    ['INMESH_XDS', 'xds://istiod:15012', /tls:\/\/host:port/],
    ['INMESH_XDS', 'host:99999', /host:port/],
    ['INMESH_PROTOCOL', 'rest', /auto, delta, sotw/],
    ['INMESH_NAMESPACE', 'Not_OK', /lower-case/],
    ['INMESH_LABELS', 'app', /key=value/],
    ['INMESH_LABELS', '=x', /key=value/],
    ['INMESH_LOCALITY', 'a/b/c/d', /region/],
    ['INMESH_PORT', '0', /1 to 65535/],
    ['INMESH_OUTBOUND_POLICY', 'allow', /ALLOW_ANY, REGISTRY_ONLY/],
    ['INMESH_REQUIRED', 'maybe', /1 or 0/],
    ['INMESH_LOG', 'trace', /off, debug/],
    ['GRPC_XDS_BOOTSTRAP', '/none', /cannot be read/],
    ['GRPC_XDS_BOOTSTRAP_CONFIG', '{', /not JSON/],
    ['GRPC_XDS_BOOTSTRAP_CONFIG', '[]', /JSON object/],
    ['GRPC_XDS_BOOTSTRAP_CONFIG', '{"xds_servers":[]}', /xds_servers/],
    [
      'GRPC_XDS_BOOTSTRAP_CONFIG',
      '{"xds_servers":[{"server_uri":"a:1","channel_creds":[{"type":"google_default"}]}]}',
      /"tls".*"insecure"/,
    ],
  ])('names %s="%s" and what is allowed', (name, value, expected) => {
    const env = { INMESH_XDS: 'a:1', INMESH_SERVICE: 's', INMESH_PORT: '1', [name]: value };
    expect(() => read(env)).toThrow(expected);
    expect(() => read(env)).toThrow(name);
  });

  it('needs the port of a service', () => {
    expect(() => read({ INMESH_XDS: 'a:1', INMESH_SERVICE: 's' })).toThrow(/INMESH_PORT/);
  });

  it('keeps labels from outside in a Map: __proto__ is no label and pollutes nothing', () => {
    const polluted = ISTIO.replace('"app":"web"', '"__proto__":"x","app":"web"');
    read({ GRPC_XDS_BOOTSTRAP_CONFIG: polluted });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe('VARIABLES', () => {
  it('documents each variable once', () => {
    expect(new Set(VARIABLES.map(({ name }) => name)).size).toBe(VARIABLES.length);
  });
});

it('SDK_VERSION is the version of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(SDK_VERSION).toBe(manifest.version);
});
