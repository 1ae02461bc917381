import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { SecretSchema } from '@inmesh/sdk/internal/gen/tls';
import { describe, expect, it } from 'vitest';
import { certificatePem, crlPem, keyPem, meshConfig, secret as secretYaml } from '../fixtures/mutual-tls.ts';
import { objectsOf, viewFrom, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import type { TrustBundle } from './mesh-roots.ts';
import { secret } from './secret.ts';

const secretJson = (
  yaml: readonly string[],
  name: string,
  {
    namespace = 'default',
    trustBundle,
    plaintext = false,
  }: { namespace?: string; trustBundle?: TrustBundle; plaintext?: boolean } = {},
): JsonObject | undefined => {
  const world = worldFromObjects(objectsOf(...yaml), { plaintext, ...(trustBundle && { trustBundle }) });
  const made = secret(world, viewFrom(namespace), name);
  return made && (toJson(SecretSchema, made, { registry }) as JsonObject);
};

const CERTIFICATE = certificatePem('cert');
const KEY = keyPem('key');
const CA = certificatePem('ca');
const CRL = crlPem('crl');
const inline = (text: string) => ({ inlineString: text });

describe('Secret resources', () => {
  const pair = { tlsCertificate: { certificateChain: inline(CERTIFICATE), privateKey: inline(KEY) } };
  const roots = { validationContext: { trustedCa: inline(CA), crl: inline(CRL) } };

  it.each([
    ['kubernetes.io/tls', { 'tls.crt': CERTIFICATE, 'tls.key': KEY, 'ca.crt': CA, 'ca.crl': CRL }],
    ['generic', { cert: CERTIFICATE, key: KEY, cacert: CA, crl: CRL }],
  ])('by the keys of %s: the certificate under its name, the roots with -cacert', (_, data) => {
    const yaml = [secretYaml('web', data)];
    expect(secretJson(yaml, 'kubernetes://web')).toEqual({ name: 'kubernetes://web', ...pair });
    expect(secretJson(yaml, 'kubernetes://web-cacert')).toEqual({ name: 'kubernetes://web-cacert', ...roots });
  });

  it('data is base64, stringData wins', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const data = { 'tls.crt': base64(CERTIFICATE), 'tls.key': base64(keyPem('other')) };
    const yaml = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web' },
      type: 'kubernetes.io/tls',
      data,
      stringData: { 'tls.key': KEY },
    });
    expect(secretJson([yaml], 'kubernetes://web')).toMatchObject(pair);
  });

  it('roots in a Secret of their own come first', () => {
    const own = secretYaml('web-cacert', { cacert: certificatePem('own') });
    const yaml = [secretYaml('web', { cert: CERTIFICATE, key: KEY, cacert: CA }), own];
    expect(secretJson(yaml, 'kubernetes://web-cacert')).toMatchObject({
      validationContext: { trustedCa: inline(certificatePem('own')) },
    });
  });

  it('what is not there does not exist: no key, no roots, no Secret', () => {
    expect(secretJson([secretYaml('web', { cacert: CA })], 'kubernetes://web')).toBeUndefined();
    expect(secretJson([secretYaml('web', { cert: CERTIFICATE, key: KEY })], 'kubernetes://web-cacert')).toBeUndefined();
    expect(secretJson([], 'kubernetes://web')).toBeUndefined();
  });

  it('a client is given those of its own namespace and no other’s, whatever name it asks for', () => {
    const yaml = [secretYaml('web', { cert: CERTIFICATE, key: KEY, cacert: CA }, 'bank')];
    const names = ['web', 'web-cacert', 'bank/web', 'bank/web-cacert', '../bank/web', 'default/web', 'bank/bank/web'];
    for (const name of names) {
      expect(secretJson(yaml, `kubernetes://${name}`)).toBeUndefined();
      expect(secretJson(yaml, `kubernetes-gateway://${name}`)).toBeUndefined();
    }
    expect(secretJson(yaml, 'kubernetes://bank/web', { namespace: 'bank' })).toBeDefined();
    expect(secretJson(yaml, 'kubernetes://web', { namespace: 'bank' })).toBeDefined();
  });

  it('an identity is no Secret of Kubernetes', () => {
    expect(secretJson([secretYaml('default', { cert: CERTIFICATE, key: KEY })], 'default')).toBeUndefined();
  });
});

describe('ROOTCA', () => {
  const trustBundle = { roots: [certificatePem('root1'), certificatePem('root2')] };
  const both = certificatePem('root1') + certificatePem('root2');

  it('holds every root of the mesh, and what was revoked', () => {
    expect(secretJson([], 'ROOTCA', { trustBundle })).toEqual({
      name: 'ROOTCA',
      validationContext: { trustedCa: inline(both) },
    });
    expect(secretJson([], 'ROOTCA', { trustBundle: { ...trustBundle, crl: CRL } })).toMatchObject({
      validationContext: { crl: inline(CRL) },
    });
  });

  it('is not there without a CA, and with --plaintext', () => {
    expect(secretJson([], 'ROOTCA')).toBeUndefined();
    expect(secretJson([], 'ROOTCA', { trustBundle, plaintext: true })).toBeUndefined();
  });

  const authority = (config: string): JsonObject | undefined =>
    secretJson([meshConfig(config)], 'ROOTCA', { trustBundle });
  const pem = (body: string): string => JSON.stringify(certificatePem(body));
  const spiffe = (...domains: readonly (readonly [string, string])[]) => ({
    name: 'envoy.tls.cert_validator.spiffe',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig',
      trustDomains: domains.map(([name, roots]) => ({ name, trustBundle: inline(roots) })),
    },
  });

  it('roots of another trust domain vouch for its names alone', () => {
    expect(authority(`{ caCertificates: [{ pem: ${pem('partner')}, trustDomains: [Partner.example] }] }`)).toEqual({
      name: 'ROOTCA',
      validationContext: {
        trustedCa: inline(both),
        customValidatorConfig: spiffe(['cluster.local', both], ['partner.example', certificatePem('partner')]),
      },
    });
  });

  it('roots that name no trust domain are everybody’s; several of one domain are used together', () => {
    const config = `{ caCertificates: [{ pem: ${pem('any')} }, { pem: ${pem('p1')}, trustDomains: [p] }, { pem: ${pem('p2')}, trustDomains: [p] }] }`;
    const any = certificatePem('any');
    expect(authority(config)).toEqual({
      name: 'ROOTCA',
      validationContext: {
        trustedCa: inline(both + any),
        customValidatorConfig: spiffe(
          ['cluster.local', both + any],
          ['p', certificatePem('p1') + certificatePem('p2') + any],
        ),
      },
    });
    expect(authority(`{ caCertificates: [{ pem: ${pem('any')} }] }`)).toEqual({
      name: 'ROOTCA',
      validationContext: { trustedCa: inline(both + any) },
    });
  });

  it('an alias is our trust domain under another name', () => {
    expect(authority('{ trustDomain: new.example, trustDomainAliases: [old.example] }')).toEqual({
      name: 'ROOTCA',
      validationContext: {
        trustedCa: inline(both),
        customValidatorConfig: spiffe(['new.example', both], ['old.example', both]),
      },
    });
  });
});
