import { expect } from 'vitest';
import { destinationRule, type Feature, policy, service, type Told, workloadEntry } from './feature.ts';

/** How connections are secured. The backend v4 is the service account `default/echo` and takes nothing but mutual TLS. */

const NOBODY = { want: '!UNAVAILABLE', deadlineMs: 20_000 } as const;

const SECURE =
  service('ports: [{name: grpc, port: 7070}], selector: {app: echo}') +
  workloadEntry(
    'address: 127.0.0.1, ports: {grpc: PORT4}, labels: {app: echo, security.istio.io/tlsMode: istio}, serviceAccount: echo',
    'echo',
  );

const named = (account: string): string =>
  destinationRule(
    `host: echo, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/${account}"]}}`,
  );

const STRICT =
  'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: NS}\nspec: {mtls: {mode: STRICT}}\n---\n';

/** Both have shown a certificate of the mesh. */
const proven = (told: readonly Told[]): void => {
  for (const one of told) {
    expect(one).toMatchObject({ status: 'OK', seen: { backend: 'v4' } });
    expect(one.seen?.caller).toContain('spiffe://cluster.local/ns/default/sa/grpc');
  }
};

/** Over TLS to one who speaks none, or with certificates gRPC cannot be told of: never in clear text. */
const neverClear = (name: string, tls: string): Feature => ({ name, yaml: policy(`tls: {${tls}}`), asks: [NOBODY] });

export const SECURITY: readonly Feature[] = [
  { name: 'tls ISTIO_MUTUAL', isBare: true, yaml: SECURE + named('echo'), asks: [{ count: 5, want: proven }] },
  { name: 'tls ISTIO_MUTUAL with somebody else', isBare: true, yaml: SECURE + named('other'), asks: [NOBODY] },
  {
    name: 'PeerAuthentication STRICT and ISTIO_MUTUAL',
    isBare: true,
    yaml: SECURE + STRICT + named('echo'),
    asks: [{ want: proven }],
  },
  {
    name: 'PeerAuthentication STRICT alone: TLS with the account of the workload, which this is not',
    isBare: true,
    yaml: SECURE + STRICT,
    asks: [NOBODY],
  },
  neverClear('tls ISTIO_MUTUAL where nobody speaks TLS', 'mode: ISTIO_MUTUAL'),
  neverClear('tls SIMPLE', 'mode: SIMPLE'),
  neverClear('tls SIMPLE with names', 'mode: SIMPLE, sni: echo.example, subjectAltNames: [echo.example]'),
  neverClear('tls SIMPLE, whoever it is', 'mode: SIMPLE, insecureSkipVerify: true'),
  neverClear('tls SIMPLE with credentialName', 'mode: SIMPLE, credentialName: nobody'),
  neverClear('tls MUTUAL with credentialName', 'mode: MUTUAL, credentialName: nobody'),
  neverClear(
    'tls MUTUAL with files',
    'mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /r.pem',
  ),
];
