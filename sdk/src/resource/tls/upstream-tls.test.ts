import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ClusterSchema } from '../../../gen/cluster.js';
import { registry } from '../../../gen/registry.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../../connection/certificates.fixture.ts';
import { clusterType } from '../cluster/cluster.ts';

const TLS = 'envoy.extensions.transport_sockets.tls.v3';
const at = (name: string, extra: Record<string, JsonValue> = {}): JsonValue => ({
  '@type': `type.googleapis.com/${name}`,
  ...extra,
});
const eds = { type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } } };
const decode = (json: Record<string, JsonValue>) =>
  clusterType.decode(toBinary(ClusterSchema, fromJson(ClusterSchema, { name: 'c', ...eds, ...json }, { registry })));
const ok = (json: Record<string, JsonValue>) => {
  const decoded = decode(json);
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  return decoded.ok;
};
const errors = (json: Record<string, JsonValue>) => {
  const decoded = decode(json);
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};
const socket = (extra: Record<string, JsonValue>) => ({
  name: 'tls',
  typedConfig: at(`${TLS}.UpstreamTlsContext`, extra),
});
const tls = (extra: Record<string, JsonValue>) => ({ transportSocket: socket(extra) });
const common = (commonTlsContext: Record<string, JsonValue>) => tls({ commonTlsContext });
const validation = (validationContext: Record<string, JsonValue>) => common({ validationContext });
const raw = { name: 'raw', typedConfig: at('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer') };
const spiffe = (...trustDomains: JsonValue[]) => ({
  customValidatorConfig: {
    name: 'envoy.tls.cert_validator.spiffe',
    typedConfig: at(`${TLS}.SPIFFECertValidatorConfig`, { trustDomains }),
  },
});
const pem = { inlineString: TEST_CERTIFICATE };
const hash = 'A'.repeat(43);

describe('TLS to the upstream', () => {
  it("originates with the platform's roots, names and SNI (Istio SIMPLE)", () => {
    const san = { sanType: 'DNS', matcher: { exact: 'api.example' } };
    const simple = tls({
      sni: 'api.example',
      commonTlsContext: {
        alpnProtocols: ['h2', 'http/1.1'],
        combinedValidationContext: {
          defaultValidationContext: { matchTypedSubjectAltNames: [san] },
          validationContextSdsSecretConfig: { name: 'file-root:system' },
        },
      },
    });
    expect(ok(simple).tls).toEqual({
      sni: 'api.example',
      alpn: ['h2', 'http/1.1'],
      roots: { kind: 'system' },
      subjectAltNames: [{ type: 'dns', kind: 'exact', value: 'api.example' }],
    });
    expect(ok({ transportSocket: raw }).tls).toBeUndefined();
  });

  it('presents the workload’s own certificate and takes the mesh’s roots (Istio ISTIO_MUTUAL)', () => {
    const exact = (value: string) => ({ sanType: 'URI', matcher: { exact: value } });
    const mutual = tls({
      sni: 'outbound_.80_._.a.default.svc.cluster.local',
      commonTlsContext: {
        alpnProtocols: ['istio-peer-exchange', 'istio'],
        tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2', tlsMaximumProtocolVersion: 'TLSv1_3' },
        tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: { ads: {} } }],
        combinedValidationContext: {
          defaultValidationContext: { matchTypedSubjectAltNames: [exact('spiffe://cluster.local/ns/default/sa/a')] },
          validationContextSdsSecretConfig: { name: 'ROOTCA', sdsConfig: { ads: {} } },
        },
      },
    });
    expect(ok(mutual).tls).toEqual({
      sni: 'outbound_.80_._.a.default.svc.cluster.local',
      alpn: ['istio-peer-exchange', 'istio'],
      certificate: { kind: 'identity' },
      roots: { kind: 'mesh' },
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      subjectAltNames: [{ type: 'uri', kind: 'exact', value: 'spiffe://cluster.local/ns/default/sa/a' }],
    });
  });

  it.each([
    [
      'the newer fields',
      'tlsCertificateProviderInstance',
      { caCertificateProviderInstance: { instanceName: 'default' } },
    ],
    [
      'with a name',
      'tlsCertificateCertificateProviderInstance',
      {
        caCertificateProviderInstance: { instanceName: 'default', certificateName: 'ROOTCA' },
      },
    ],
  ])('takes the provider instance "default": %s (gRFC A29)', (_, field, validationContext) => {
    const context = common({ [field]: { instanceName: 'default' }, validationContext });
    expect(ok(context).tls).toMatchObject({ certificate: { kind: 'identity' }, roots: { kind: 'mesh' } });
  });

  it('takes it in a combined context, in the older field too', () => {
    const instance = { instanceName: 'default', certificateName: 'ROOTCA' };
    const context = common({
      combinedValidationContext: {
        defaultValidationContext: { matchSubjectAltNames: [{ suffix: '/sa/a' }] },
        validationContextCertificateProviderInstance: instance,
      },
    });
    expect(ok(context).tls).toMatchObject({
      roots: { kind: 'mesh' },
      subjectAltNames: [{ kind: 'suffix', value: '/sa/a' }],
    });
  });

  it.each([
    [{ trustedCa: { filename: '/ca.pem' } }, { kind: 'file', path: '/ca.pem' }],
    [{ trustedCa: pem }, { kind: 'inline', pem: TEST_CERTIFICATE }],
    [{ trustedCa: { inlineBytes: btoa(TEST_CERTIFICATE) } }, { kind: 'inline', pem: TEST_CERTIFICATE }],
    [{ systemRootCerts: {} }, { kind: 'system' }],
    [{}, { kind: 'system' }],
    [{ trustChainVerification: 'ACCEPT_UNTRUSTED' }, { kind: 'unchecked' }],
    [
      spiffe({ name: 'One.Example', trustBundle: pem }, { name: 'two', trustBundle: pem }),
      {
        kind: 'bundles',
        bundles: new Map([
          ['one.example', TEST_CERTIFICATE],
          ['two', TEST_CERTIFICATE],
        ]),
      },
    ],
  ])('roots: %#', (context: Record<string, JsonValue>, roots) => {
    expect(ok(validation(context)).tls?.roots).toEqual(roots);
  });

  it.each([
    ['ROOTCA', { kind: 'mesh' }],
    ['file-root:system', { kind: 'system' }],
    ['file-root:/etc/ca.pem', { kind: 'file', path: '/etc/ca.pem' }],
    ['kubernetes://c-cacert', { kind: 'secret', name: 'kubernetes://c-cacert' }],
  ])('roots by the name %s', (name, roots) => {
    expect(ok(common({ validationContextSdsSecretConfig: { name } })).tls?.roots).toEqual(roots);
  });

  it.each([
    ['default', { kind: 'identity' }],
    ['file-cert:/c.pem~/k.pem', { kind: 'files', certificate: '/c.pem', key: '/k.pem' }],
    ['kubernetes://c', { kind: 'secret', name: 'kubernetes://c' }],
  ])('a certificate by the name %s', (name, certificate) => {
    expect(ok(common({ tlsCertificateSdsSecretConfigs: [{ name }] })).tls?.certificate).toEqual(certificate);
  });

  it('a certificate in the cluster itself, in files or inline', () => {
    const given = (certificateChain: JsonValue, privateKey: JsonValue) =>
      ok(common({ tlsCertificates: [{ certificateChain, privateKey }] })).tls?.certificate;
    expect(given({ filename: '/c' }, { filename: '/k' })).toEqual({ kind: 'files', certificate: '/c', key: '/k' });
    expect(given(pem, { inlineString: TEST_KEY })).toMatchObject({ kind: 'inline', certificate: TEST_CERTIFICATE });
  });

  it.each([
    [
      { sanType: 'EMAIL', matcher: { contains: 'a@' } },
      { type: 'email', kind: 'contains', value: 'a@' },
    ],
    [
      { sanType: 'IP_ADDRESS', matcher: { exact: '::1' } },
      { type: 'ip', kind: 'exact', value: '::1' },
    ],
    [
      { sanType: 'DNS', matcher: { suffix: '.Example', ignoreCase: true } },
      { type: 'dns', kind: 'suffix', value: '.Example', ignoreCase: true },
    ],
    [
      { sanType: 'URI', matcher: { prefix: 'spiffe://a/' } },
      { type: 'uri', kind: 'prefix', value: 'spiffe://a/' },
    ],
    [
      { sanType: 'URI', matcher: { safeRegex: { regex: 'spiffe://a/.*' } } },
      { type: 'uri', kind: 'regex', value: 'spiffe://a/.*' },
    ],
  ])('names of every kind: %#', (matcher, name) => {
    expect(ok(validation({ matchTypedSubjectAltNames: [matcher] })).tls?.subjectAltNames).toEqual([name]);
  });

  it('ciphers, versions, a revocation list, pins', () => {
    const { tls: all } = ok(
      common({
        tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', cipherSuites: ['[ECDHE-RSA-AES128-GCM-SHA256|AES256-SHA]'] },
        validationContext: {
          crl: { filename: '/crl.pem' },
          verifyCertificateSpki: [`${hash}=`],
          verifyCertificateHash: ['00:'.repeat(31).concat('00')],
        },
      }),
    );
    expect(all).toMatchObject({
      minVersion: 'TLSv1.3',
      cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256', 'AES256-SHA'],
      crl: { kind: 'file', path: '/crl.pem' },
      pins: [
        { of: 'public-key', sha256: `${hash}=` },
        { of: 'certificate', sha256: `${hash}=` },
      ],
    });
    // Older versions are not spoken, whoever would allow them.
    expect(ok(common({ tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_0' } })).tls?.minVersion).toBeUndefined();
  });

  it('SNI from the request’s host, or from the endpoint', () => {
    const options = { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } };
    expect(ok({ ...tls({ sni: 'a' }), ...options }).tls).toMatchObject({ sniFrom: 'authority', verifiesSni: true });
    const http = at('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
      upstreamHttpProtocolOptions: { autoSni: true },
      explicitHttpConfig: { httpProtocolOptions: {} },
    });
    const typed = { typedExtensionProtocolOptions: { http } };
    expect(ok({ ...tls({}), ...typed }).tls).toMatchObject({ sniFrom: 'authority' });
    expect(ok(tls({ autoHostSni: true, autoSniSanValidation: true })).tls).toMatchObject({
      sniFrom: 'endpoint',
      verifiesSni: true,
    });
  });

  it('transport_socket_matches: TLS for some endpoints, plain text for the others (Istio auto-mTLS)', () => {
    const transportSocketMatches = [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: socket({ sni: 'a' }) },
      { name: 'tlsMode-disabled', match: {}, transportSocket: raw },
    ];
    expect(ok({ transportSocketMatches }).transportMatches).toEqual([
      {
        name: 'tlsMode-istio',
        match: new Map([['tlsMode', 'istio']]),
        tls: { sni: 'a', alpn: [], roots: { kind: 'system' }, subjectAltNames: [] },
      },
      { name: 'tlsMode-disabled', match: new Map(), tls: undefined },
    ]);
  });

  it('a field it has never heard of may ask for a check', () => {
    const message = fromJson(ClusterSchema, { name: 'c', ...eds, ...tls({ sni: 'a' }) }, { registry });
    const any = message.transportSocket?.configType;
    if (any?.case !== 'typedConfig') throw new Error('no typed_config');
    any.value.value = Buffer.concat([any.value.value, Buffer.from([9 << 3, 1])]);
    expect(clusterType.decode(toBinary(ClusterSchema, message))).toMatchObject({
      errors: [expect.stringContaining('transport_socket.typed_config: field 9 is set')],
    });
  });

  const router = at('envoy.extensions.filters.http.router.v3.Router');
  it.each([
    [common({ tlsParams: { tlsMaximumProtocolVersion: 'TLSv1_1' } }), 'tls_maximum_protocol_version: TLSv1_1'],
    [
      common({ tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_2' } }),
      'more than',
    ],
    [common({ tlsParams: { cipherSuites: ['NULL-OF-MINE'] } }), 'cipher_suites[0]: "NULL-OF-MINE"'],
    [common({ tlsParams: { ecdhCurves: ['P-256'] } }), 'ecdh_curves: set, but not'],
    [{ upstreamHttpProtocolOptions: { overrideAutoSniHeader: 'x' } }, 'override_auto_sni_header: set, but not'],
    [common({ tlsCertificateSdsSecretConfigs: [{ name: 'a' }, { name: 'b' }] }), 'several certificates, one allowed'],
    [common({ tlsCertificateSdsSecretConfigs: [{ name: '' }] }), 'name: empty'],
    [common({ tlsCertificateSdsSecretConfigs: [{ name: 'file-cert:/c' }] }), 'file-cert:CERTIFICATE~KEY allowed'],
    [
      common({ tlsCertificateProviderInstance: { instanceName: 'other' } }),
      'instance_name: "other", "default" allowed',
    ],
    [validation({ caCertificateProviderInstance: { instanceName: 'other' } }), 'instance_name: "other"'],
    [
      validation({ caCertificateProviderInstance: { instanceName: 'default', certificateName: 'x' } }),
      'certificate_name: "x"',
    ],
    [validation({ trustedCa: { inlineString: 'x' } }), 'trusted_ca.inline_string: no certificate in PEM'],
    [validation({ trustedCa: { environmentVariable: 'HOME' } }), 'trusted_ca: environmentVariable, filename'],
    [validation({ trustedCa: { filename: '' } }), 'trusted_ca.filename: empty'],
    [validation({ crl: { inlineString: 'x' } }), 'crl.inline_string: no revocation list in PEM'],
    [validation({ verifyCertificateSpki: ['x'] }), 'verify_certificate_spki[0]: "x"'],
    [validation({ allowExpiredCertificate: true }), 'an expired certificate proves nothing'],
    [validation({ maxVerifyDepth: 1 }), 'max_verify_depth: set, but not'],
    [
      validation({
        trustChainVerification: 'ACCEPT_UNTRUSTED',
        caCertificateProviderInstance: { instanceName: 'default' },
      }),
      'a peer of the mesh is never trusted unchecked',
    ],
    [
      common({
        combinedValidationContext: {
          defaultValidationContext: { trustChainVerification: 'ACCEPT_UNTRUSTED' },
          validationContextSdsSecretConfig: { name: 'ROOTCA' },
        },
      }),
      'a peer of the mesh is never trusted unchecked',
    ],
    [validation({ matchTypedSubjectAltNames: [{ sanType: 'OTHER_NAME', matcher: { exact: 'a' } }] }), 'OTHER_NAME'],
    [validation({ matchTypedSubjectAltNames: [{ sanType: 'URI' }] }), 'matcher: missing'],
    [
      validation({ matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { safeRegex: { regex: '(' } } }] }),
      'no regular expression',
    ],
    [validation(spiffe()), 'trust_domains: empty'],
    [validation(spiffe({ name: 'a', trustBundle: pem }, { name: 'A', trustBundle: pem })), 'stands twice'],
    [validation(spiffe({ name: 'spiffe://a', trustBundle: pem })), 'a trust domain allowed'],
    [validation(spiffe({ name: 'a', trustBundle: { filename: '/a' } })), 'inline_string or inline_bytes allowed'],
    [validation({ customValidatorConfig: { name: 'x', typedConfig: router } }), 'SPIFFECertValidatorConfig allowed'],
    [common({ tlsCertificates: [{ certificateChain: pem, privateKey: { filename: '/k' } }] }), 'both alike allowed'],
    [
      common({ tlsCertificates: [{ certificateChain: pem, privateKey: { inlineString: 'MY SECRET' } }] }),
      'private_key.inline_string: no private key in PEM',
    ],
    [{ transportSocket: { name: 'quic', typedConfig: router } }, 'transport_socket.typed_config: type'],
    [{ transportSocket: { name: 'none' } }, 'transport_socket.typed_config: type ""'],
    [
      { transportSocketMatches: [{ name: 'a', match: { n: 1 }, transportSocket: raw }] },
      'match.n: number, text allowed',
    ],
    [{ transportSocketMatches: [{ name: 'a' }] }, 'transport_socket: missing'],
  ])('what asks for more is refused, never weakened: %#', (json: Record<string, JsonValue>, expected) => {
    expect(errors(json)).toContain(expected);
    expect(errors(json)).not.toContain('MY SECRET');
  });
});
