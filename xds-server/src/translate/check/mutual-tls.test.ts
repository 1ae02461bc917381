import { describe, expect, it } from 'vitest';
import {
  certificatePem,
  ISTIO,
  keyPem,
  meshConfig,
  peerAuthentication,
  secret,
  service,
  workload,
} from '../fixtures/mutual-tls.ts';
import { reviewsPolicy } from '../fixtures/reviews.ts';
import { objectsOf, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { checkPeerAuthentication } from './peer-authentication.ts';
import { checkSidecar } from './sidecar.ts';

const found = (yaml: readonly string[], plaintext = false): readonly string[] => {
  const objects = objectsOf(...yaml);
  const world = worldFromObjects(objects, { plaintext });
  return objects
    .flatMap((object) => {
      switch (object.kind) {
        case 'PeerAuthentication':
          return checkPeerAuthentication(world, object).map((finding) => ({ ...finding, name: object.name }));
        case 'DestinationRule':
          return checkDestinationRule(world, object).map((finding) => ({ ...finding, name: 'rule' }));
        case 'Sidecar':
          return checkSidecar(world, object).map((finding) => ({ ...finding, name: 'sidecar' }));
        default:
          return [];
      }
    })
    .map(({ name, severity, fieldPath, message }) => `${severity} ${name} ${fieldPath}: ${message}`);
};

const MESH = [service(), workload('reviews-v1', 'v1', ISTIO), workload('reviews-v2', 'v2', ISTIO)];
const policy = peerAuthentication;

describe('check PeerAuthentication', () => {
  it('finds nothing where everybody can do what is asked', () => {
    expect(found([...MESH, policy('{ mtls: { mode: STRICT } }')])).toEqual([]);
    expect(found([...MESH, workload('old', 'v3'), policy('{ mtls: { mode: PERMISSIVE } }')])).toEqual([]);
  });

  it('STRICT where somebody proves no identity: who is shut out', () => {
    const old = ['v3', 'v4', 'v5', 'v6'].map((version) => workload(`old-${version}`, version));
    expect(found([...MESH, ...old, policy('{ mtls: { mode: STRICT } }')])).toEqual([
      'warning default spec.mtls.mode: STRICT, but nobody vouches that these take mTLS (label security.istio.io/tlsMode: istio): old-v3, old-v4, old-v5 and 1 more; callers send them clear text, which is refused',
    ]);
  });

  it('the mesh’s speaks for all namespaces, but not for those that decide themselves', () => {
    const mesh = policy('{ mtls: { mode: STRICT } }', { name: 'mesh', namespace: 'istio-system' });
    const other = workload('pay', 'v3').replace('namespace: default', 'namespace: bank');
    const own = policy('{ mtls: { mode: DISABLE } }', { namespace: 'bank' });
    expect(found([...MESH, other, mesh])).toEqual([expect.stringContaining('tlsMode: istio): pay; callers')]);
    expect(found([...MESH, other, mesh, own])).toEqual([]);
  });

  it('of a port', () => {
    const ports = policy('{ selector: { matchLabels: { app: reviews } }, portLevelMtls: { 9081: { mode: STRICT } } }');
    expect(found([service(), workload('old', 'v1'), ports])).toEqual([
      expect.stringMatching(/^warning default spec\.portLevelMtls\["9081"\]\.mode: STRICT, but .*: old; callers/),
    ]);
  });

  it('the younger of two for a whole namespace, or the whole mesh, has no effect', () => {
    const two = (namespace: string) => [
      policy('{ mtls: { mode: STRICT } }', { name: 'a', namespace, created: '2026-02-01T00:00:00Z' }),
      policy('{ mtls: { mode: DISABLE } }', { name: 'b', namespace, created: '2026-01-01T00:00:00Z' }),
    ];
    expect(found([...MESH, ...two('default')])).toEqual([
      'warning a spec: no effect: PeerAuthentication default/b comes first for the whole namespace, want a selector',
    ]);
    expect(found(two('istio-system'))).toEqual([
      'warning a spec: no effect: PeerAuthentication istio-system/b comes first for the whole mesh, want a selector',
    ]);
  });

  it('of two that select the same workloads', () => {
    const select = (name: string, labels: string) =>
      policy(`{ selector: { matchLabels: { ${labels} } }, mtls: { mode: STRICT } }`, { name });
    expect(found([...MESH, select('a', 'app: reviews'), select('b', 'app: reviews')])).toEqual([
      'warning b spec: no effect: PeerAuthentication default/a comes first with the same selector',
    ]);
    expect(found([...MESH, select('a', 'app: reviews'), select('b', 'version: v2')])).toEqual([
      'warning b spec.selector: no effect on reviews-v2: PeerAuthentication default/a comes first and selects them too',
    ]);
  });

  it('a selector that selects nobody; where nothing runs yet nobody can say', () => {
    const nobody = policy('{ selector: { matchLabels: { app: nobody } }, mtls: { mode: STRICT } }');
    expect(found([...MESH, nobody])).toEqual([
      'warning default spec.selector: no effect: no workload of namespace default has these labels',
    ]);
    expect(found([nobody])).toEqual([]);
  });

  it('--plaintext', () => {
    expect(found([...MESH, policy('{ mtls: { mode: STRICT } }')], true)).toEqual([
      'warning default spec: no effect: the control plane runs with --plaintext, nobody has an identity',
    ]);
  });
});

describe('check DestinationRule tls against who is called', () => {
  const STRICT = policy('{ mtls: { mode: STRICT } }');
  const rule = (tls: string, subsets = '') => reviewsPolicy(`{ tls: ${tls} }`, subsets);

  it.each(['{ mode: DISABLE }', '{ mode: SIMPLE }'])('%s towards who takes mTLS alone', (tls) => {
    const mode = /[A-Z]+/.exec(tls)?.[0];
    expect(found([...MESH, STRICT, rule(tls)])).toEqual([
      `warning rule spec.trafficPolicy.tls.mode: ${mode}: reviews-v1, reviews-v2 take mTLS alone (PeerAuthentication default/default), calls to them fail; want ISTIO_MUTUAL, or no tls`,
    ]);
    expect(found([...MESH, rule(tls)])).toEqual([]);
  });

  it('of a subset its workloads, of a port its own rule', () => {
    const v2 = policy('{ selector: { matchLabels: { version: v2 } }, mtls: { mode: STRICT } }');
    const subsets = `  subsets:
    - { name: v1, labels: { version: v1 }, trafficPolicy: { tls: { mode: DISABLE } } }
    - { name: v2, labels: { version: v2 }, trafficPolicy: { tls: { mode: DISABLE } } }`;
    const simple = '{ loadBalancer: { simple: RANDOM } }';
    expect(found([...MESH, v2, reviewsPolicy(simple, subsets)])).toEqual([
      expect.stringMatching(/^warning rule spec\.subsets\[1\]\.trafficPolicy\.tls\.mode: DISABLE: reviews-v2 take/),
    ]);
    const ports =
      '{ tls: { mode: DISABLE }, portLevelSettings: [{ port: { number: 9080 }, tls: { mode: ISTIO_MUTUAL } }] }';
    expect(found([...MESH, v2, reviewsPolicy(ports)])).toEqual([]);
  });

  it('ISTIO_MUTUAL towards who takes none', () => {
    expect(found([...MESH, workload('old', 'v3'), rule('{ mode: ISTIO_MUTUAL }')])).toEqual([
      'warning rule spec.trafficPolicy.tls.mode: ISTIO_MUTUAL: old take no mTLS, calls to them fail: no identity is known of them (label security.istio.io/tlsMode: istio), or PeerAuthentication says DISABLE',
    ]);
    expect(found([...MESH, policy('{ mtls: { mode: DISABLE } }'), rule('{ mode: ISTIO_MUTUAL }')])).toHaveLength(1);
    expect(found([...MESH, rule('{ mode: ISTIO_MUTUAL }')])).toEqual([]);
    expect(found([...MESH, rule('{ mode: ISTIO_MUTUAL }')], true)).toEqual([expect.stringContaining('--plaintext')]);
  });

  it('a server that nobody verifies', () => {
    expect(found([...MESH, rule('{ mode: SIMPLE, insecureSkipVerify: true }')])).toEqual([
      'warning rule spec.trafficPolicy.tls.insecureSkipVerify: the server is not verified: whoever answers is believed',
    ]);
  });

  it('credentialName: what is missing of the Secret', () => {
    const certificate = { cert: certificatePem('a'), key: keyPem('b') };
    const roots = { cacert: certificatePem('c') };
    const check = (mode: string, ...secrets: readonly string[]) =>
      found([...MESH, ...secrets, rule(`{ mode: ${mode}, credentialName: api }`)]);
    expect(check('MUTUAL')).toEqual([
      "warning rule spec.trafficPolicy.tls.credentialName: there is no Secret default/api of certificates (kubernetes.io/tls, or generic with Istio's keys): calls of this namespace fail",
    ]);
    expect(check('MUTUAL', secret('api', roots))).toEqual([expect.stringContaining('has no certificate with its key')]);
    expect(check('MUTUAL', secret('api', certificate))).toEqual([
      'warning rule spec.trafficPolicy.tls.credentialName: Secret default/api has no roots (ca.crt or cacert), nor is there a Secret default/api-cacert: calls of this namespace fail',
    ]);
    expect(check('MUTUAL', secret('api', certificate), secret('api-cacert', roots))).toEqual([]);
    expect(check('MUTUAL', secret('api', { ...certificate, ...roots }))).toEqual([]);
    expect(check('SIMPLE', secret('api', roots))).toEqual([]);
  });
});

describe('check Sidecar, inbound', () => {
  const sidecar = (spec: string): string =>
    `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s, namespace: default }\nspec: ${spec}\n`;

  it('what of a connection pool is about calling others', () => {
    const pool =
      '{ tcp: { connectTimeout: 1s, maxConnections: 3 }, http: { http1MaxPendingRequests: 5, maxRetries: 1 } }';
    expect(found([sidecar(`{ inboundConnectionPool: ${pool} }`)])).toEqual(
      ['tcp.connectTimeout', 'http.http1MaxPendingRequests', 'http.maxRetries'].map(
        (name) =>
          `warning sidecar spec.inboundConnectionPool.${name}: no effect on a guarded server, which calls nobody: only an Envoy calls the application behind it`,
      ),
    );
  });

  it('a guarded server forwards to no other port', () => {
    const ingress = (endpoint: string) =>
      sidecar(`{ ingress: [{ port: { number: 9080 }, defaultEndpoint: "${endpoint}" }] }`);
    expect(found([ingress('127.0.0.1:9080')])).toEqual([]);
    expect(found([ingress('127.0.0.1:8080')])).toEqual([
      'warning sidecar spec.ingress[0].defaultEndpoint: only an Envoy forwards to 127.0.0.1:8080: a guarded server is the application itself, and listens on 9080',
    ]);
  });

  it('TLS of the service’s own wants a port without the mesh’s', () => {
    const own = sidecar(
      '{ ingress: [{ port: { number: 443, protocol: HTTPS }, tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k } }] }',
    );
    expect(found([own])).toEqual([
      'warning sidecar spec.ingress[0].tls: no effect: port 443 is PERMISSIVE by default, want a PeerAuthentication with mode DISABLE for it',
    ]);
    expect(found([own, policy('{ mtls: { mode: DISABLE } }')])).toEqual([]);
  });
});

it('enableAutoMtls is what the MeshConfig says; nothing is said about it', () => {
  expect(found([...MESH, meshConfig('{ enableAutoMtls: false }')])).toEqual([]);
});
