import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';

const configMap = (mesh: string, name = 'istio'): string => `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
  namespace: istio-system
data:
  meshNetworks: 'networks: {}'
  mesh: |-
${mesh.replace(/^/gm, '    ')}
`;
const problems = (text: string): readonly string[] => parseText(text, 'mesh.yaml').problems.map(formatProblem);

describe('MeshConfig in the ConfigMap istio of istio-system', () => {
  it('reads what the mesh is told', () => {
    const [object] = parseText(
      configMap('rootNamespace: admin\nconnectTimeout: 3s\ndefaultServiceExportTo: ["."]'),
      'f',
    ).objects;
    expect(object).toMatchObject({
      key: 'ConfigMap/istio-system/istio',
      spec: { data: { mesh: { rootNamespace: 'admin', connectTimeout: 3_000, defaultServiceExportTo: ['.'] } } },
    });
  });

  it('an error has the line it is on, inside the block of text', () => {
    expect(problems(configMap('rootNamespace: admin\n\nconnectTimeout: 3\naccessLogFile: null'))).toEqual([
      'mesh.yaml:11: ConfigMap istio-system/istio: data.mesh.connectTimeout: got 3 (number), want a duration of at least 1ms like "500ms", "10s" or "1h30m": write "3s" for seconds',
    ]);
  });

  it('its places can be asked for', () => {
    const [object] = parseText(
      configMap('a: 1\n'.replace('a: 1', 'rootNamespace: admin\ntrustDomain: t')),
      'f',
    ).objects;
    expect(object?.origin.line('data.mesh.trustDomain')).toBe(10);
    expect(object?.origin.line('data.mesh')).toBe(8);
  });

  it('an unknown field is an error and a slip of the pen is told', () => {
    expect(problems(configMap('rootNamespce: x'))[0]).toContain(
      'data.mesh.rootNamespce: unknown field, did you mean rootNamespace?',
    );
    expect(problems(configMap('{'))[0]).toContain('data.mesh: YAML, line 1 of the text');
  });

  it('what has no effect yet is said', () => {
    expect(problems(configMap('accessLogFile: /dev/stdout\naccessLogEncoding: JSON'))).toEqual([
      'mesh.yaml:9: ConfigMap istio-system/istio: data.mesh.accessLogFile: not yet enforced',
      'mesh.yaml:10: ConfigMap istio-system/istio: data.mesh.accessLogEncoding: not yet enforced',
    ]);
  });

  it('takes roots beside the mesh’s own; nothing is fetched', () => {
    const root = '-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\\n';
    const [object] = parseText(
      configMap(`caCertificates: [{ pem: "${root}", trustDomains: [partner.example] }]`),
      'f',
    ).objects;
    expect(object).toMatchObject({
      spec: { data: { mesh: { caCertificates: [{ trustDomains: ['partner.example'] }] } } },
    });
    expect(
      problems(configMap('caCertificates: [{ spiffeBundleUrl: "https://a" }, { pem: nonsense, certSigners: [a] }]')),
    ).toEqual([
      'mesh.yaml:9: ConfigMap istio-system/istio: data.mesh.caCertificates[1].pem: got "nonsense" (string), want certificates in PEM',
      'mesh.yaml:9: ConfigMap istio-system/istio: data.mesh.caCertificates[0].spiffeBundleUrl: ignored: nothing is fetched from there, write the certificates as pem',
      'mesh.yaml:9: ConfigMap istio-system/istio: data.mesh.caCertificates[1].certSigners: ignored: the certificates count whoever signs',
    ]);
  });

  it('what can have no effect is said too, whatever stands in it', () => {
    expect(problems(configMap('defaultConfig: { anything: 1 }\nmeshMTLS: { minProtocolVersion: TLSV1_3 }'))).toEqual([
      'mesh.yaml:9: ConfigMap istio-system/istio: data.mesh.defaultConfig: ignored: there is no proxy beside the application',
      'mesh.yaml:10: ConfigMap istio-system/istio: data.mesh.meshMTLS: ignored: TLS is 1.2 or 1.3 with the platform’s ciphers, and a server is always verified',
    ]);
  });

  it('any other ConfigMap is some application’s', () => {
    const { objects, problems: found } = parseText(configMap('nonsense', 'app'), 'f');
    expect(objects).toEqual([]);
    expect(found.map(({ severity }) => severity)).toEqual(['info']);
  });
});

describe('Sidecar', () => {
  const sidecar = (spec: string): readonly string[] =>
    problems(`apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s }\nspec: ${spec}\n`);

  it.each([
    ['{ egress: [{ hosts: ["./*", "istio-system/*", "ns/ext-api.example.com"] }] }', []],
    ['{ egress: [{ hosts: [reviews] }] }', ['spec.egress[0].hosts[0]: got "reviews" (string), want namespace/host']],
    ['{ egress: [{ captureMode: DEFAULT, hosts: ["*/*"] }] }', []],
    [
      '{ egress: [{ captureMode: NONE, bind: 127.0.0.1, hosts: ["*/*"] }] }',
      ['spec.egress[0].bind: ignored: nothing is captured', 'spec.egress[0].captureMode: ignored: nothing is captured'],
    ],
    ['{ egress: [{ hosts: [] }] }', ['spec.egress[0].hosts: want at least one']],
    [
      '{ egress: [{ hosts: ["*/*"] }, { hosts: ["./*"] }] }',
      ['spec.egress[0]: an entry without a port must be the last'],
    ],
    ['{ ingress: [{ port: { number: 80 }, bind: 10.0.0.1, defaultEndpoint: "127.0.0.1:80" }] }', []],
    ['{ ingress: [{ port: { number: 80 }, captureMode: DEFAULT }] }', []],
    [
      '{ ingress: [{ port: { number: 80 }, captureMode: NONE }] }',
      ['spec.ingress[0].captureMode: ignored: nothing is captured: the application itself listens'],
    ],
    [
      '{ ingress: [{ port: { number: 80 }, defaultEndpoint: "10.0.0.1:80" }] }',
      ['spec.ingress[0].defaultEndpoint: got "10.0.0.1:80" (string), want 127.0.0.1:PORT'],
    ],
    [
      '{ ingress: [{ port: { number: 80 } }, { port: { number: 80 } }] }',
      ['spec.ingress[1].port.number: 80 is listed twice'],
    ],
    [
      '{ ingress: [{ port: { number: 443, protocol: HTTP }, tls: { mode: SIMPLE, credentialName: a } }] }',
      ['spec.ingress[0].tls: port.protocol is HTTP, want HTTPS or TLS'],
    ],
    [
      '{ ingress: [{ port: { number: 443, protocol: HTTPS }, tls: { mode: MUTUAL, serverCertificate: /c, privateKey: /k } }] }',
      ['spec.ingress[0].tls: caCertificates is missing, mode MUTUAL wants it (or credentialName)'],
    ],
    [
      '{ ingress: [{ port: { number: 443, protocol: TLS }, tls: { mode: SIMPLE, credentialName: a, privateKey: /k } }] }',
      ['spec.ingress[0].tls.privateKey: credentialName is set too, want one of them'],
    ],
    [
      '{ ingress: [{ port: { number: 443, protocol: TLS }, tls: { mode: ISTIO_MUTUAL } }] }',
      ['spec.ingress[0].tls.mode: got "ISTIO_MUTUAL" (string), want one of SIMPLE, MUTUAL, OPTIONAL_MUTUAL'],
    ],
    ['{ inboundConnectionPool: { http: { maxRetries: 1 } } }', []],
    [
      '{ outboundTrafficPolicy: { mode: NONE } }',
      ['spec.outboundTrafficPolicy.mode: got "NONE" (string), want one of'],
    ],
  ])('%s', (spec, expected) => {
    const found = sidecar(spec);
    expect(found).toHaveLength(expected.length);
    for (const [index, part] of expected.entries()) expect(found[index]).toContain(part);
  });
});
