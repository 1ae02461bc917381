import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { readKey, readSvid } from './svid.ts';

const URI = 'spiffe://Cluster.Local/ns/shop/sa/web';
const ca = await createTestCa();
const made = await ca.issue({ uris: [URI] });

describe('a certificate with its key', () => {
  it('is an identity: its one SPIFFE ID, its dates, its chain without what stands around it', () => {
    expect(readSvid(`Bag Attributes\n${made.pem}trailing`, made.key)).toMatchObject({
      id: { uri: 'spiffe://cluster.local/ns/shop/sa/web', workload: { namespace: 'shop', serviceAccount: 'web' } },
      chain: made.pem.trim().concat('\n'),
      notAfterMs: made.certificate.validToDate.getTime(),
      serialNumber: made.certificate.serialNumber.toLowerCase(),
    });
  });

  it('an intermediate goes along', async () => {
    const below = await (await ca.intermediate()).issue({ uris: [URI] });
    const svid = readSvid(below.pem, below.key);
    expect(typeof svid !== 'string' && svid.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ['no certificate', async () => 'nothing', /no PEM certificate/],
    ['one that is cut off', async () => made.pem.replace(/.{64}\n/, ''), /cannot be read/],
    ['a CA', async () => ca.pem, /is a CA/],
    ["somebody else's", async () => (await ca.issue({ uris: [URI] })).pem, /the key is not that of the certificate/],
  ])('%s is none, and says why', async (_what, pem, expected) => {
    expect(readSvid(await pem(), made.key)).toMatch(expected);
  });

  it.each([
    [{ dns: ['web.shop'] }, /has 0 URI names/],
    [{ uris: [URI, 'https://web'] }, /has 2 URI names/],
    [{ uris: ['https://web.shop'] }, /is no SPIFFE ID/],
    // Node quotes such a name; what is in the quotes is none of a workload.
    [{ uris: ['spiffe://td/a, URI:spiffe://td/b'] }, /URI names|no SPIFFE ID/],
  ])('names that are not one SPIFFE ID (%#)', async (options, expected) => {
    const odd = await ca.issue(options);
    expect(readSvid(odd.pem, odd.key)).toMatch(expected);
  });
});

describe('a key', () => {
  it('in PKCS #8, SEC 1 or PKCS #1', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
    const pems = [
      ec.export({ type: 'pkcs8', format: 'pem' }),
      ec.export({ type: 'sec1', format: 'pem' }),
      rsa.export({ type: 'pkcs1', format: 'pem' }),
    ];
    for (const pem of pems) expect(typeof readKey(pem.toString())).toBe('object');
  });

  it('that cannot be used is told without a word of it', () => {
    const encrypted = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey;
    expect(readKey(encrypted)).toBe('the key is encrypted: no passphrase is taken');
    expect(readKey('-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----')).toBe(
      'there is no PEM private key in it',
    );
  });
});

it('nothing that stands in a file makes it throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ unit: 'binary' }), (one, other) => {
      const pem = `-----BEGIN CERTIFICATE-----\n${one}\n-----END CERTIFICATE-----\n${other}`;
      expect(typeof readSvid(pem, made.key)).toBe('string');
      expect(typeof readKey(`${one}-----BEGIN EC PRIVATE KEY-----${other}`)).toBe('string');
    }),
    { numRuns: 30 },
  );
});
