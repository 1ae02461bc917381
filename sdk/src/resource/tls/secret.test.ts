import { generateKeyPairSync } from 'node:crypto';
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registry } from '../../../gen/registry.js';
import { SecretSchema } from '../../../gen/tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../../connection/certificates.fixture.ts';
import { secretType } from './secret.ts';

const decode = (json: Record<string, JsonValue>) =>
  secretType.decode(toBinary(SecretSchema, fromJson(SecretSchema, { name: 's', ...json }, { registry })));
const ok = (json: Record<string, JsonValue>) => {
  const decoded = decode(json);
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  return decoded.ok;
};
const OTHER_KEY = String(
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
);
const pair = (certificate: JsonValue, key: JsonValue) => ({
  tlsCertificate: { certificateChain: certificate, privateKey: key },
});
const inline = (inlineString: string) => ({ inlineString });
const validator = (...trustDomains: JsonValue[]) => ({
  name: 'envoy.tls.cert_validator.spiffe',
  typedConfig: {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig',
    trustDomains,
  },
});

describe('secrets (Envoy SDS)', () => {
  it('a certificate with its key', () => {
    expect(ok(pair(inline(TEST_CERTIFICATE), inline(TEST_KEY)))).toEqual({
      kind: 'certificate',
      name: 's',
      certificate: { kind: 'inline', certificate: TEST_CERTIFICATE, key: TEST_KEY },
    });
    expect(ok(pair({ filename: '/c' }, { filename: '/k' }))).toMatchObject({
      certificate: { kind: 'files', certificate: '/c', key: '/k' },
    });
  });

  it('roots, one bundle or one a trust domain', () => {
    const trustedCa = inline(TEST_CERTIFICATE);
    expect(ok({ validationContext: { trustedCa, crl: { filename: '/crl' } } })).toEqual({
      kind: 'roots',
      name: 's',
      roots: { kind: 'inline', pem: TEST_CERTIFICATE },
      crl: { kind: 'file', path: '/crl' },
    });
    const customValidatorConfig = validator({ name: 'td', trustBundle: trustedCa });
    // Beside it the plain list stands for clients that do not know the validator.
    expect(ok({ validationContext: { trustedCa, customValidatorConfig } })).toMatchObject({
      roots: { kind: 'bundles', bundles: new Map([['td', TEST_CERTIFICATE]]) },
    });
  });

  it('other secrets are none of ours', () => {
    expect(ok({ genericSecret: { secret: inline('x') } })).toEqual({ kind: 'unused', name: 's' });
  });

  it.each([
    [{}, 'nothing in it'],
    [{ name: '' }, 'name: empty'],
    [{ validationContext: {} }, 'validation_context: no roots'],
    [{ validationContext: { trustChainVerification: 'ACCEPT_UNTRUSTED' } }, 'no roots'],
    [
      { validationContext: { trustedCa: inline(TEST_CERTIFICATE), matchSubjectAltNames: [{ exact: 'a' }] } },
      'names and pins stand with the cluster',
    ],
    [{ validationContext: { trustedCa: inline('MY SECRET') } }, 'no certificate in PEM'],
    [pair(inline(TEST_CERTIFICATE), inline(OTHER_KEY)), 'private_key is not that of the certificate'],
    [pair(inline(TEST_CERTIFICATE), inline('MY SECRET')), 'no private key in PEM'],
    [
      pair(inline(TEST_CERTIFICATE), inline('-----BEGIN PRIVATE KEY-----\nMY SECRET\n-----END PRIVATE KEY-----\n')),
      'private_key: it cannot be read',
    ],
    [
      pair(inline('-----BEGIN CERTIFICATE-----\nMY SECRET\n-----END CERTIFICATE-----\n'), inline(TEST_KEY)),
      'the first certificate cannot be read',
    ],
    [
      {
        tlsCertificate: {
          certificateChain: inline(TEST_CERTIFICATE),
          privateKey: inline(TEST_KEY),
          password: inline('x'),
        },
      },
      'password: set, but not',
    ],
  ])('refused without a word of what stands in it: %#', (json: Record<string, JsonValue>, expected) => {
    const decoded = decode(json);
    const text = 'errors' in decoded ? decoded.errors.join('\n') : '';
    expect(text).toContain(expected);
    expect(text).not.toMatch(/MY SECRET|PRIVATE KEY-----|[A-Za-z0-9+/]{40}/);
  });

  it('is never kept on disk', () => {
    expect(secretType.isKept).not.toBe(true);
  });

  it('any bytes are read or refused', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void secretType.decode(bytes)));
  });
});
