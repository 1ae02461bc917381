import { describe, expect, it } from 'vitest';
import { type BootstrapInput, readBootstrap } from './bootstrap.ts';
import type { IdentityOptions } from './identity-settings.ts';

const XDS = { INMESH_XDS: 'tls://istiod:15012' };

function read(env: Record<string, string>, identity?: IdentityOptions | false, rest: Partial<BootstrapInput> = {}) {
  const readFile = (): string => {
    throw new Error('ENOENT');
  };
  const bootstrap = readBootstrap({
    env: { ...XDS, ...env },
    readFile,
    options: { ...(identity !== undefined && { identity }) },
    ...rest,
  });
  return bootstrap?.identity;
}

const ISTIO_POD = new Set(['/var/run/secrets/tokens/istio-token', '/var/run/secrets/istio/root-cert.pem']);
const inPod = { exists: (path: string) => ISTIO_POD.has(path) };

describe('the identity that the environment names', () => {
  it('none where nothing names a credential', () => {
    expect(read({})).toMatchObject({
      source: undefined,
      token: undefined,
      caRoot: undefined,
      isOff: false,
      certificateTtlMs: 86_400_000,
    });
  });

  it('a token, as text or as a file: certificates of the control plane, or of the CA that is named', () => {
    expect(read({ INMESH_TOKEN: 'abc' })).toMatchObject({
      source: { kind: 'ca', servers: ['tls://istiod:15012'] },
      token: { kind: 'text', text: 'abc', source: 'INMESH_TOKEN' },
    });
    expect(read({ INMESH_TOKEN_FILE: '/t', INMESH_CA: 'tls://ca:1', INMESH_CA_ROOT: '/r' })).toMatchObject({
      source: { kind: 'ca', servers: ['tls://ca:1'] },
      token: { kind: 'file', path: '/t', isFound: false },
      caRoot: '/r',
    });
  });

  it("in a pod of Istio's: its token and its root where they are mounted", () => {
    expect(read({}, undefined, inPod)).toMatchObject({
      source: { kind: 'ca', servers: ['tls://istiod:15012'] },
      token: { kind: 'file', path: '/var/run/secrets/tokens/istio-token', isFound: true },
      caRoot: '/var/run/secrets/istio/root-cert.pem',
    });
  });

  it('files, the Workload API, SDS', () => {
    const files = { INMESH_CERT_FILE: '/c', INMESH_KEY_FILE: '/k', INMESH_ROOT_FILE: '/r' };
    expect(read(files)?.source).toEqual({ kind: 'files', certificate: '/c', key: '/k', roots: '/r' });
    expect(read({ SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock' })?.source).toEqual({
      kind: 'workload-api',
      address: 'unix:///run/agent.sock',
    });
    expect(read({ INMESH_SDS: 'ads' })?.source).toEqual({ kind: 'sds', server: 'ads' });
    const socket = '/var/run/secrets/workload-spiffe-uds/socket';
    expect(read({}, undefined, { exists: (path) => path === socket })?.source).toEqual({
      kind: 'sds',
      server: `unix:${socket}`,
    });
  });

  it('of several: the program, files, the Workload API, a CA with a token, SDS', () => {
    const env: Record<string, string> = {
      INMESH_CERT_FILE: '/c',
      INMESH_KEY_FILE: '/k',
      SPIFFE_ENDPOINT_SOCKET: 'unix:///s',
      INMESH_TOKEN: 't',
      INMESH_SDS: 'ads',
    };
    expect(read(env, { certificate: 'C', key: 'K' })?.source?.kind).toBe('given');
    for (const [expected, gone] of [
      ['files', 'INMESH_CERT_FILE'],
      ['workload-api', 'SPIFFE_ENDPOINT_SOCKET'],
      ['ca', 'INMESH_TOKEN'],
      ['sds', 'INMESH_SDS'],
    ] as const) {
      expect(read(env)?.source?.kind).toBe(expected);
      delete env[gone];
      if (gone === 'INMESH_CERT_FILE') delete env.INMESH_KEY_FILE;
    }
    expect(read(env)?.source).toBeUndefined();
  });

  it('an option wins over its variable, and false over everything', () => {
    expect(read({ INMESH_TOKEN: 'a' }, { token: 'b' })?.token).toMatchObject({
      text: 'b',
      source: 'option identity.token',
    });
    expect(read({ INMESH_TOKEN: 'a' }, false)).toMatchObject({ source: undefined, token: undefined, isOff: true });
  });

  it('the SPIFFE ID to ask for is known where namespace and service account are named', () => {
    expect(read({ INMESH_NAMESPACE: 'shop' })?.uri).toBeUndefined();
    const env = { INMESH_NAMESPACE: 'shop', INMESH_SERVICE_ACCOUNT: 'web' };
    expect(read(env)?.uri).toBe('spiffe://cluster.local/ns/shop/sa/web');
    expect(read({ ...env, INMESH_TRUST_DOMAIN: 'td.test' })?.uri).toBe('spiffe://td.test/ns/shop/sa/web');
  });

  it('a token says whose it is, where nobody else does; what it says is the control plane’s to verify', () => {
    const tokenFor = (sub: unknown) => `x.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.y`;
    const named = (env: Record<string, string>, file = '') =>
      readBootstrap({ env: { ...XDS, ...env }, readFile: () => file });
    const token = tokenFor('system:serviceaccount:shop:web');
    for (const bootstrap of [named({ INMESH_TOKEN: token }), named({ INMESH_TOKEN_FILE: '/t' }, `${token}\n`)]) {
      expect(bootstrap).toMatchObject({
        namespace: 'shop',
        serviceAccount: 'web',
        node: { metadata: { NAMESPACE: 'shop', SERVICE_ACCOUNT: 'web' } },
        identity: { uri: 'spiffe://cluster.local/ns/shop/sa/web' },
      });
    }
    expect(named({ INMESH_TOKEN: token, INMESH_NAMESPACE: 'other' })?.node.metadata.NAMESPACE).toBe('other');
    for (const odd of [
      'opaque',
      'a.b.c',
      'x.bnVsbA.y',
      tokenFor(7),
      tokenFor('system:serviceaccount:A:b'),
      tokenFor('a:b'),
    ]) {
      const metadata = named({ INMESH_TOKEN: odd })?.node.metadata;
      expect([metadata?.NAMESPACE, metadata?.SERVICE_ACCOUNT]).toEqual([undefined, undefined]);
    }
  });

  it("lives are asked for in Go's notation, as Istio's SECRET_TTL", () => {
    expect(read({ SECRET_TTL: '1h30m' })?.certificateTtlMs).toBe(5_400_000);
    expect(read({ SECRET_TTL: '24h0m0s' })?.certificateTtlMs).toBe(86_400_000);
    expect(read({ SECRET_TTL: '4000ms' }, { certificateTtlMs: 7 })?.certificateTtlMs).toBe(7);
  });
});

describe('a token in plain text', () => {
  it('stays on this machine: another one is an error that names the variable and the address, and not the token', () => {
    for (const env of [
      { INMESH_XDS: 'istiod:15010', INMESH_TOKEN: 'sesame' },
      { INMESH_XDS: '127.0.0.1:1,istiod:15010', INMESH_TOKEN: 'sesame' },
      { INMESH_CA: 'istiod:15010', INMESH_TOKEN: 'sesame' },
      { INMESH_XDS: 'istiod:15010', INMESH_TOKEN_FILE: '/t' },
    ]) {
      expect(() => read(env)).toThrow(
        /INMESH_(XDS|CA) is "istiod:15010": plain text .*INMESH_TOKEN.*tls:\/\/host:port/,
      );
      expect(() => read(env)).not.toThrow(/sesame/);
    }
  });

  it.each([
    '127.0.0.1:15010',
    'localhost:15010',
    '[::1]:15010',
    'unix:/run/xds',
    'tls://istiod:15012',
    'https://istiod',
  ])('may go to %s', (server) => {
    expect(read({ INMESH_XDS: server, INMESH_TOKEN: 't' })?.source).toEqual({ kind: 'ca', servers: [server] });
  });

  it('one that only lies where Istio puts it stays behind without a word', () => {
    expect(read({ INMESH_XDS: 'istiod:15010' }, undefined, inPod)?.source).toBeUndefined();
  });

  it('a CA on TLS may be named for a control plane in plain text', () => {
    const env = { INMESH_XDS: 'istiod:15010', INMESH_CA: 'tls://istiod:15012', INMESH_TOKEN: 't' };
    expect(read(env)?.source).toEqual({ kind: 'ca', servers: ['tls://istiod:15012'] });
  });
});

describe('what cannot be used', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['a certificate without its key', { INMESH_CERT_FILE: '/c' }, /INMESH_CERT_FILE and INMESH_KEY_FILE.*give both/],
    ['a key without its certificate', { INMESH_KEY_FILE: '/k' }, /INMESH_CERT_FILE and INMESH_KEY_FILE/],
    [
      'a Workload API that is no address',
      { SPIFFE_ENDPOINT_SOCKET: 'run/x' },
      /SPIFFE_ENDPOINT_SOCKET is "run\/x", allowed: unix:/,
    ],
    ['a token with a line break', { INMESH_TOKEN: 'a\nb' }, /INMESH_TOKEN is "…", allowed: a token without/],
    ['a CA that is no address', { INMESH_CA: 'a/b', INMESH_TOKEN: 't' }, /INMESH_CA: "a\/b" is not/],
    ['secrets of another machine', { INMESH_SDS: 'agent:80' }, /INMESH_SDS is "agent:80", allowed: ads, or unix:PATH/],
    ['a trust domain that is none', { INMESH_TRUST_DOMAIN: 'A B' }, /INMESH_TRUST_DOMAIN is "A B"/],
    ['a life that is none', { SECRET_TTL: 'long' }, /SECRET_TTL is "long", allowed: a duration/],
  ])('%s is named', (_what, env, expected) => {
    expect(() => read(env)).toThrow(expected);
    expect(() => read(env)).toThrow(/MESH_BOOTSTRAP_INVALID/);
  });

  it('half of a pair in the options', () => {
    expect(() => read({}, { certificate: 'C' })).toThrow(/option identity.certificate and option identity.key/);
  });
});

describe("in gRPC's bootstrap", () => {
  const grpc = (fields: object) =>
    readBootstrap({
      env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify({ xds_servers: [{ server_uri: 'istiod:15010' }], ...fields }) },
      readFile: () => '',
    });
  const pair = { certificate_file: '/c', private_key_file: '/k' };

  it('channel_creds of type tls, with their files (gRFC A65); the first type that is known counts (A27)', () => {
    const servers = (channel_creds: unknown) =>
      grpc({ xds_servers: [{ server_uri: 'istiod:15012', channel_creds }] })?.servers;
    expect(
      servers([{ type: 'google_default' }, { type: 'tls', config: { ...pair, ca_certificate_file: '/r' } }]),
    ).toEqual([
      { address: 'tls://istiod:15012', features: new Set(), tls: { certificate: '/c', key: '/k', roots: '/r' } },
    ]);
    expect(servers([{ type: 'tls' }])).toMatchObject([{ address: 'tls://istiod:15012', tls: {} }]);
    expect(servers([{ type: 'insecure' }, { type: 'tls' }])).toMatchObject([{ address: 'istiod:15012' }]);
  });

  it("certificate_providers: the file_watcher called default, as Istio's agent writes it", () => {
    const watcher = {
      plugin_name: 'file_watcher',
      config: { ...pair, ca_certificate_file: '/r', refresh_interval: '900s' },
    };
    expect(grpc({ certificate_providers: { default: watcher } })?.identity.source).toEqual({
      kind: 'files',
      certificate: '/c',
      key: '/k',
      roots: '/r',
    });
    expect(grpc({ certificate_providers: { other: watcher } })?.identity.source?.kind).toBe('files');
    expect(grpc({ certificate_providers: { default: { plugin_name: 'mesh_ca' } } })?.identity.source).toBeUndefined();
  });

  it.each<[object, RegExp]>([
    [{ certificate_providers: [] }, /certificate_providers is "\[\]", allowed: an object/],
    [
      { certificate_providers: { default: { plugin_name: 'file_watcher', config: { certificate_file: '/c' } } } },
      /certificate_providers\["default"\]\.config is .*private_key_file together/,
    ],
    [
      { xds_servers: [{ server_uri: 'a:1', channel_creds: [{ type: 'tls', config: { private_key_file: '/k' } }] }] },
      /xds_servers\[0\]\.channel_creds is .*together/,
    ],
  ])('what is wrong is named (%#)', (fields, expected) => {
    expect(() => grpc(fields)).toThrow(expected);
  });
});
