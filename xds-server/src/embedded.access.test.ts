import { createPrivateKey, X509Certificate } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { type Secret, SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../test/harness/certificates.ts';
import { closeAll, envoy, node, PRIVATE, REVIEWS, setUp, until } from './embedded/secure-mesh.fixture.ts';
import { type PeerStream, SDS, type Shown, textOf } from './embedded/secure-peer.fixture.ts';
import { memorySource } from './source/memory.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from './translate/resource-types.ts';

afterEach(closeAll);

const ADDRESS_TYPE = 'type.googleapis.com/istio.workload.Address';
const inbound = (address: string) => `xds.istio.io/grpc/lds/inbound/${address}:9080`;

/** Two namespaces with two accounts each; each runs somewhere and has a service of its own that only its namespace may see. */
const WHO = [
  { namespace: 'shop', serviceAccount: 'web', address: '10.1.0.1' },
  { namespace: 'shop', serviceAccount: 'cart', address: '10.1.0.2' },
  { namespace: 'bank', serviceAccount: 'web', address: '10.2.0.1' },
  { namespace: 'bank', serviceAccount: 'safe', address: '10.2.0.2' },
] as const;
type Who = (typeof WHO)[number];

const gateway = await (await createTestCa()).issue({ dns: ['gateway.example'] });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const YAML = ['shop', 'bank']
  .map(
    (namespace) => `
apiVersion: v1
kind: Service
metadata: { name: own, namespace: ${namespace}, annotations: { networking.istio.io/exportTo: "." } }
spec: { ports: [{ name: http, port: 9080 }], selector: { app: own } }
---
apiVersion: v1
kind: Secret
metadata: { name: gateway-${namespace}, namespace: ${namespace} }
type: kubernetes.io/tls
data: { tls.crt: ${base64(gateway.pem)}, tls.key: ${base64(gateway.keyPem)} }`,
  )
  .concat(
    WHO.map(
      ({ namespace, serviceAccount, address }) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${serviceAccount}, namespace: ${namespace} }
spec: { address: ${address}, labels: { app: own }, serviceAccount: ${serviceAccount} }`,
    ),
  )
  .join('\n---');

const host = (namespace: string) => `own.${namespace}.svc.cluster.local`;

/** Everything that is another identity's, by type. */
const foreignTo = (who: Who): readonly (readonly [type: string, names: readonly string[]])[] => {
  const others = WHO.filter((one) => one !== who);
  const elsewhere = [...new Set(others.map(({ namespace }) => namespace))].filter((name) => name !== who.namespace);
  return [
    [
      LISTENER_TYPE,
      [...others.map(({ address }) => inbound(address)), ...elsewhere.map((name) => `${host(name)}:9080`)],
    ],
    [ROUTE_TYPE, elsewhere.map((name) => `outbound|9080||${host(name)}`)],
    [CLUSTER_TYPE, elsewhere.map((name) => `outbound|9080||${host(name)}`)],
    [ENDPOINT_TYPE, elsewhere.map((name) => `outbound|9080||${host(name)}`)],
    [
      SECRET_TYPE,
      [
        ...elsewhere.flatMap((name) => [`kubernetes://gateway-${name}`, `kubernetes://${name}/gateway-${name}`]),
        ...others.map(({ namespace, serviceAccount }) => `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`),
        ...others.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`),
        'default/../default',
        'file-cert:/etc/passwd~/etc/shadow',
      ],
    ],
    [
      ADDRESS_TYPE,
      [
        '*',
        ...others.map(({ address }) => `/${address}`),
        ...others.map(({ namespace }) => `${namespace}/${host(namespace)}`),
      ],
    ],
  ];
};

const answers = (stream: PeerStream, names: readonly string[]): readonly string[] =>
  names.filter((name) => name !== '*' && stream.heard.get(name) !== 'no');

describe.each(WHO)('$namespace/$serviceAccount', (who) => {
  it.each(['sdk', 'grpc', 'envoy'])(
    'as %s gets nothing that is another identity’s, whatever it says of itself',
    async (kind) => {
      const { tls, token, told } = await setUp({ source: memorySource(YAML) });
      const peer = tls({ token: await token(who.namespace, who.serviceAccount) });
      const claims = {
        INSTANCE_IPS: WHO.map(({ address }) => address).join(','),
        ...(kind === 'sdk' && { INMESH_KIND: 'sdk' }),
      };
      const stream = peer.stream({ id: 'a', metadata: claims, ...(kind === 'envoy' && { userAgentName: 'envoy' }) });
      // A gRPC client is told of an empty cluster in place of any that it has not: made of the name alone, it tells nothing.
      const foreign = foreignTo(who).filter(([type]) => kind !== 'grpc' || !/Cluster/.test(type));
      for (const [type, names] of foreign) stream.ask(type, ...names);
      const asked = foreign.flatMap(([, names]) => names);
      await until(() => answers(stream, asked)).toEqual([]);
      expect([...stream.heard.values()].filter((answer) => answer !== 'no')).toEqual([]);
      expect(told.filter((line) => line.includes('told that it does not exist')).length).toBeGreaterThan(0);
      expect(told.join('\n')).not.toMatch(/PRIVATE KEY|BEGIN/);
    },
  );

  it('gets what is its own', async () => {
    const { tls, token } = await setUp({ source: memorySource(YAML) });
    const { namespace, serviceAccount, address } = who;
    const peer = tls({ token: await token(namespace, serviceAccount) });
    const stream = peer.stream({ ...envoy('a'), metadata: { INSTANCE_IPS: address } });
    const secrets = ['default', 'ROOTCA', `kubernetes://gateway-${namespace}`];
    stream.ask(CLUSTER_TYPE, `outbound|9080||${host(namespace)}`);
    stream.ask(SECRET_TYPE, ...secrets);
    await until(() => stream.heard.size).toBe(4);
    expect([...stream.heard.values()]).not.toContain('no');
    const own = stream.secrets.get('default')?.type;
    const chain = own?.case === 'tlsCertificate' ? textOf(own.value.certificateChain) : '';
    expect(new X509Certificate(chain).subjectAltName).toBe(
      `URI:spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`,
    );
  });
});

describe('SDS', () => {
  const keyFits = (secret: Secret | undefined): boolean => {
    if (secret?.type.case !== 'tlsCertificate') return false;
    const { certificateChain, privateKey } = secret.type.value;
    return new X509Certificate(textOf(certificateChain)).checkPrivateKey(createPrivateKey(textOf(privateKey)));
  };

  it('gives a proven Envoy its certificate and key over DeltaSecrets, StreamSecrets and FetchSecrets', async () => {
    const { tls, token, roots } = await setUp();
    const peer = tls({ token: await token('shop', 'gateway') });
    const delta = peer.stream(envoy('gw-1'), `${SDS}/DeltaSecrets`);
    // A service of one type: its requests need not say which.
    delta.ask('', 'default', 'ROOTCA');
    await until(() => delta.secrets.size).toBe(2);
    expect(keyFits(delta.secrets.get('default'))).toBe(true);
    const validation = delta.secrets.get('ROOTCA')?.type;
    expect(validation?.case === 'validationContext' ? textOf(validation.value.trustedCa).trim() : '').toBe(
      roots.join('\n').trim(),
    );
    const request = toBinary(
      DiscoveryRequestSchema,
      create(DiscoveryRequestSchema, { node: { id: 'gw-1', userAgentName: 'envoy' }, resourceNames: ['default'] }),
    );
    for (const answer of [
      peer.unary(`${SDS}/FetchSecrets`, request),
      peer.firstAnswer(`${SDS}/StreamSecrets`, request),
    ]) {
      const [any] = fromBinary(DiscoveryResponseSchema, await answer).resources;
      expect(any && keyFits(fromBinary(SecretSchema, any.value))).toBe(true);
    }
    await expect(tls().unary(`${SDS}/FetchSecrets`, request)).rejects.toThrow(/UNAUTHENTICATED/);
  });

  it('gives no key to an SDK or a gRPC client: they make it themselves', async () => {
    const { tls, token, told } = await setUp();
    const stream = tls({ token: await token('shop', 'web') }).stream(node('a'));
    stream.ask(SECRET_TYPE, 'default', 'ROOTCA');
    await until(() => stream.heard.size).toBe(2);
    expect(stream.heard.get('default')).toBe('no');
    expect(told.join('\n')).toMatch(/"default", told that it does not exist: it is no Envoy/);
  });

  it('serves nothing but secrets', async () => {
    const { tls, token } = await setUp();
    const stream = tls({ token: await token('shop', 'web') }).stream(envoy('a'), `${SDS}/DeltaSecrets`);
    stream.ask(LISTENER_TYPE, REVIEWS);
    await until(stream.ended).toMatch(/^INVALID_ARGUMENT type_url/);
  });

  it('shows no secret in dumps', async () => {
    const { tls, token, server } = await setUp({ source: memorySource(YAML) }, { admin: '127.0.0.1:0' });
    const stream = tls({ token: await token('shop', 'web') }).stream(envoy('a'));
    stream.ask(SECRET_TYPE, 'default', 'kubernetes://gateway-shop');
    await until(() => stream.heard.size).toBe(2);
    expect(JSON.stringify(server.clients())).not.toMatch(/PRIVATE KEY/);
  });
});

/** An address of this machine that others could use. */
const elsewhere = Object.values(networkInterfaces())
  .flatMap((list = []) => list)
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

describe.skipIf(elsewhere === undefined)('plain text from another address', () => {
  const open = async () => {
    const mesh = await setUp({}, { xds: '0.0.0.0:0', publicPlaintext: true });
    const port = mesh.listening.xds.split(':')[1];
    return { ...mesh, other: (shown: Shown = {}) => mesh.open(`${elsewhere}:${port}`, shown) };
  };

  it('sees what is exported to everyone, under its full name, and nothing else; it registers nothing', async () => {
    const { other, server } = await open();
    const peer = other();
    const stream = peer.stream(node('a', { NAMESPACE: 'shop', INMESH_REGISTER: [{ service: 'reviews', port: 9080 }] }));
    stream.ask(LISTENER_TYPE, REVIEWS, PRIVATE, 'reviews:9080', inbound('0.0.0.0'));
    stream.ask(SECRET_TYPE, 'ROOTCA', 'default');
    await until(() => stream.heard.size).toBe(6);
    const seen = [...stream.heard].filter(([, answer]) => answer !== 'no').map(([name]) => name);
    expect(seen).toEqual([REVIEWS]);
    expect(server.workload('shop', 'a')).toBeUndefined();
    await expect(peer.certificate()).rejects.toThrow(/UNAUTHENTICATED/);
  });

  it('is told that its token is no secret any more', async () => {
    const { other, token } = await open();
    const stream = other({ token: await token('shop', 'web') }).stream(node('a'));
    stream.ask(LISTENER_TYPE, REVIEWS);
    await until(stream.ended).toMatch(/^UNAUTHENTICATED a token came in plain text over the network/);
  });
});
