import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type DescMessage, type JsonObject, type MessageShape, toJson } from '@bufbuild/protobuf';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../xds-server/src/ca/authority.ts';
import { cluster } from '../../../xds-server/src/translate/cluster/cluster.ts';
import {
  ISTIO,
  meshConfig,
  peerAuthentication,
  secret as secretYaml,
  service,
  workload,
} from '../../../xds-server/src/translate/fixtures/mutual-tls.ts';
import { reviewsPolicy } from '../../../xds-server/src/translate/fixtures/reviews.ts';
import { objectsOf, viewFrom, worldFromObjects } from '../../../xds-server/src/translate/fixtures/world-from-yaml.ts';
import { applicationClusterOf } from '../../../xds-server/src/translate/inbound/application.ts';
import { inboundListener } from '../../../xds-server/src/translate/inbound/listener.ts';
import { secret } from '../../../xds-server/src/translate/tls/secret.ts';
import type { World } from '../../../xds-server/src/translate/world.ts';
import { createTestCa, type TestCa, type TestCertificate } from '../../harness/certificates.ts';
import { findEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';

const binary = findEnvoy();
const run = promisify(execFile);
const WEB = 'spiffe://cluster.local/ns/default/sa/web';
const VIEW = viewFrom('default', { kind: 'envoy' });
const REVIEWS = 'outbound|9080||reviews.default.svc.cluster.local';
const MESH = [service(), workload('reviews-v1', 'v1', ISTIO), workload('reviews-v2', 'v2', ISTIO)];

interface StaticResources {
  readonly clusters?: readonly JsonObject[];
  readonly listeners?: readonly JsonObject[];
  readonly secrets?: readonly JsonObject[];
}

/** What `envoy --mode validate` says to resources that are served to it. */
describe.skipIf(binary === undefined)('Envoy takes what the control plane makes of identities', () => {
  let folder: string;
  let ca: TestCa;
  let leaf: TestCertificate;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-envoy-identity-'));
    ca = await createTestCa();
    leaf = await ca.issue({ uris: [WEB] });
    writeFileSync(path.join(folder, 'c.pem'), leaf.pem);
    writeFileSync(path.join(folder, 'k.pem'), leaf.keyPem, { mode: 0o600 });
    writeFileSync(path.join(folder, 'ca.pem'), ca.pem);
    writeFileSync(path.join(folder, 'crl.pem'), await ca.crl(leaf));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const verdict = async (resources: StaticResources): Promise<string> => {
    const file = path.join(folder, 'envoy.json');
    writeFileSync(file, JSON.stringify(bootstrap(resources)));
    try {
      const { stdout, stderr } = await run(binary ?? '', ['--mode', 'validate', '-l', 'error', '-c', file]);
      return /OK/.test(stdout + stderr) ? 'OK' : stdout + stderr;
    } catch (error) {
      return String(error);
    }
  };
  const at = (name: string): string => path.join(folder, name);
  const files = () => `clientCertificate: ${at('c.pem')}, privateKey: ${at('k.pem')}, caCertificates: ${at('ca.pem')}`;

  it.each<readonly [string, () => readonly string[]]>([
    ['auto-mTLS', () => MESH],
    ['DISABLE', () => [...MESH, reviewsPolicy('{ tls: { mode: DISABLE } }')]],
    ['ISTIO_MUTUAL', () => [...MESH, reviewsPolicy('{ tls: { mode: ISTIO_MUTUAL } }')]],
    [
      'SIMPLE by a file, with a revocation list',
      () => [
        ...MESH,
        reviewsPolicy(
          `{ tls: { mode: SIMPLE, caCertificates: ${at('ca.pem')}, caCrl: ${at('crl.pem')}, subjectAltNames: [a.b] } }`,
        ),
      ],
    ],
    ['SIMPLE, nothing checked', () => [...MESH, reviewsPolicy('{ tls: { mode: SIMPLE, insecureSkipVerify: true } }')]],
    ['MUTUAL by files', () => [...MESH, reviewsPolicy(`{ tls: { mode: MUTUAL, ${files()} } }`)]],
    ['MUTUAL by credentialName', () => [...MESH, reviewsPolicy('{ tls: { mode: MUTUAL, credentialName: web } }')]],
    [
      'HTTP/2',
      () => [
        ...MESH,
        reviewsPolicy('{ tls: { mode: ISTIO_MUTUAL }, connectionPool: { http: { h2UpgradePolicy: UPGRADE } } }'),
      ],
    ],
  ])('a cluster: %s', async (_, yaml) => {
    expect(await verdict({ clusters: [clusterJson(worldOf(yaml()))] })).toBe('OK');
  });

  it.each<readonly [string, () => readonly string[]]>([
    ['PERMISSIVE', () => []],
    ['STRICT', () => [peerAuthentication('{ mtls: { mode: STRICT } }')]],
    ['DISABLE', () => [peerAuthentication('{ mtls: { mode: DISABLE } }')]],
    [
      'with every limit',
      () => [
        sidecar(
          '{ inboundConnectionPool: { tcp: { maxConnections: 9, maxConnectionDuration: 1h }, http: { idleTimeout: 5s, maxRequestsPerConnection: 7, maxConcurrentStreams: 9, http2MaxRequests: 50 } } }',
        ),
      ],
    ],
    [
      'TLS of its own',
      () => [
        peerAuthentication('{ mtls: { mode: DISABLE } }'),
        sidecar(
          `{ ingress: [{ port: { number: 9080, protocol: HTTPS }, tls: { mode: MUTUAL, serverCertificate: ${at('c.pem')}, privateKey: ${at('k.pem')}, caCertificates: ${at('ca.pem')}, minProtocolVersion: TLSV1_3 } }] }`,
        ),
      ],
    ],
  ])('an inbound listener: %s', async (_, yaml) => {
    expect(await verdict({ listeners: [listenerJson(worldOf(yaml()))] })).toBe('OK');
  });

  it('secrets: a certificate with its key, roots with what they revoke, roots by trust domain', async () => {
    const pair = secretYaml('web', {
      'tls.crt': leaf.pem,
      'tls.key': leaf.keyPem,
      'ca.crt': ca.pem,
      'ca.crl': await ca.crl(leaf),
    });
    const partner = JSON.stringify((await createTestCa()).pem);
    const config = meshConfig(
      `{ trustDomainAliases: [old.example], caCertificates: [{ pem: ${partner}, trustDomains: [partner.example] }] }`,
    );
    const authority = await createAuthority({ trustDomain: 'cluster.local', clock: systemClock });
    await authority.revoke((await authority.issueKeyPair({ names: { uris: [WEB] }, ttlMs: 60_000 })).serial);
    const trustBundle = authority.bundle();
    expect(trustBundle.crl).toContain('X509 CRL');
    const world = worldFromObjects(objectsOf(pair, config), { trustBundle });
    const names = ['kubernetes://web', 'kubernetes://web-cacert', 'ROOTCA'];
    const secrets = names.map((name) => secretJson(world, name));
    expect(await verdict({ secrets, listeners: [withStatic(listenerJson(worldOf([])))] })).toBe('OK');
    authority.close();
  });

  it('a live Envoy: only a client of the mesh comes through to the application, which is told its name', async () => {
    const application = http.createServer((request, response) => {
      response.end(String(request.headers['x-forwarded-client-cert'] ?? 'nobody'));
    });
    await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
    const { port: behind } = application.address() as AddressInfo;
    const [port, admin] = [await freePort(), await freePort()];
    const yaml = [
      peerAuthentication('{ mtls: { mode: STRICT } }'),
      sidecar(`{ ingress: [{ port: { number: ${port} }, defaultEndpoint: "127.0.0.1:${behind}" }] }`),
    ];
    const pair = secretYaml('web', { 'tls.crt': leaf.pem, 'tls.key': leaf.keyPem });
    const world = worldFromObjects(objectsOf(...yaml, pair), { trustBundle: { roots: [ca.pem] } });
    const resources = bootstrap({
      clusters: [json(ClusterSchema, applicationClusterOf(world, VIEW, `inbound|${port}||`))],
      listeners: [withStatic(listenerJson(world, port))],
      secrets: ['kubernetes://web', 'ROOTCA'].map((name) => secretJson(world, name)),
    });
    const envoy = await startEnvoy(binary ?? '', { ...resources, admin: adminAt(admin) }, admin);
    try {
      const stranger = await (await createTestCa()).issue({ uris: [WEB] });
      const partner = await ca.issue({ uris: ['spiffe://partner.example/ns/default/sa/web'] });
      expect(await call(port, { ca: ca.pem, cert: leaf.pem, key: leaf.keyPem })).toContain(`URI=${WEB}`);
      for (const { pem, keyPem } of [stranger, partner]) {
        expect(await call(port, { ca: ca.pem, cert: pem, key: keyPem })).toMatch(/^refused/);
      }
      expect(await call(port, { ca: ca.pem })).toMatch(/^refused/);
    } finally {
      await envoy.stop();
      application.close();
    }
  });

  it('and refuses what is broken: the verdict is a verdict', async () => {
    const listener = listenerJson(worldOf([]));
    expect(await verdict({ listeners: [{ ...listener, filterChains: [] }] })).not.toBe('OK');
  });
});

const sidecar = (spec: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s, namespace: default }\nspec: ${spec}\n`;

const worldOf = (yaml: readonly string[]): World => worldFromObjects(objectsOf(...yaml));

function json<Desc extends DescMessage>(schema: Desc, made: MessageShape<Desc> | undefined): JsonObject {
  if (made === undefined) throw new Error(`no ${schema.typeName}`);
  return toJson(schema, made, { registry }) as JsonObject;
}

const clusterJson = (world: World): JsonObject => json(ClusterSchema, cluster(world, VIEW, REVIEWS));

const listenerJson = (world: World, port = 9080): JsonObject =>
  json(ListenerSchema, inboundListener(world, VIEW, `xds.istio.io/grpc/lds/inbound/127.0.0.1:${port}`));

const secretJson = (world: World, name: string): JsonObject => json(SecretSchema, secret(world, VIEW, name));

const adminAt = (port: number) => ({ address: { socket_address: { address: '127.0.0.1', port_value: port } } });

/** The body of the answer, or that there was none. The server is verified by the caller in tests of the SDK; here it is asked. */
const call = (port: number, tls: https.RequestOptions): Promise<string> =>
  new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, agent: false, checkServerIdentity: () => undefined };
    const request = https.request({ ...options, ...tls }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body)).on('error', (error) => resolve(`refused: ${error.message}`));
    });
    request.on('error', (error) => resolve(`refused: ${error.message}`)).end();
  });

/** Names of secrets without a source are those of the bootstrap: so they are read, not only listed. */
function withStatic(listener: JsonObject): JsonObject {
  const text = JSON.stringify(listener).replaceAll(/,"sdsConfig":\{[^}]*\{\}[^}]*\}/g, '');
  return JSON.parse(text.replaceAll('"name":"default"', '"name":"kubernetes://web"'));
}

const bootstrap = ({ clusters = [], listeners = [], secrets = [] }: StaticResources): object => ({
  node: { id: 'sidecar~127.0.0.1~web.default~default.svc.cluster.local', cluster: 'web' },
  dynamic_resources: {
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
    },
  },
  static_resources: { clusters: [XDS, ...clusters], listeners, secrets },
});

const XDS = {
  name: 'xds',
  type: 'STATIC',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
  load_assignment: {
    cluster_name: 'xds',
    endpoints: [
      { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 15010 } } } }] },
    ],
  },
};
