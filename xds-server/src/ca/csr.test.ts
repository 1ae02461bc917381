import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csrOf, ecKeys, hasOpenssl, openssl } from './authority.fixture.ts';
import { readCsr } from './csr.ts';
import { pemBytes, pemText } from './pem.ts';
import { CertificateRefused } from './refusal.ts';

/** Rejects with a refusal, never with anything else. */
async function refusalOf(pem: string): Promise<CertificateRefused> {
  const outcome = await readCsr(pem).then(
    () => 'accepted',
    (error: unknown) => error,
  );
  if (outcome instanceof CertificateRefused) return outcome;
  throw new Error('a refusal was expected', { cause: outcome });
}

const rsa = (bits: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength: bits, publicExponent });

describe('a certificate signing request', () => {
  it.each([
    ['P-256', () => ecKeys('P-256')],
    ['P-384', () => ecKeys('P-384')],
    ['RSA 2048', () => rsa(2_048)],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
  ])('of a %s key gives that key', async (_, make) => {
    const keys = make();
    expect((await readCsr(await csrOf({ keys }))).equals(keys.publicKey)).toBe(true);
  });

  it('may be signed over SHA-384 and may stand under the older label', async () => {
    const pem = await csrOf({ hash: 'SHA-384' });
    await expect(readCsr(pem.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'))).resolves.toBeDefined();
    await expect(readCsr(`some text\r\n${pem.replaceAll('\n', '\r\n')}`)).resolves.toBeDefined();
  });

  it('is refused for a key that is too weak', async () => {
    expect(await refusalOf(await csrOf({ keys: rsa(1_024) }))).toMatchObject({
      reason: 'key',
      message: expect.stringContaining('1024 bits'),
    });
    expect(await refusalOf(await csrOf({ keys: rsa(2_048, 3) }))).toMatchObject({ reason: 'key' });
  });

  it.skipIf(!hasOpenssl())(
    'is refused for RSA 512, P-224, secp256k1 and explicit curve parameters, as OpenSSL writes them',
    async () => {
      const make = (...args: string[]) =>
        openssl(['req', '-new', '-subj', '/CN=x', '-nodes', '-keyout', '/dev/null', ...args]);
      for (const [args, named] of [
        [['-newkey', 'rsa:512'], '512 bits'],
        [['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1'], 'secp224r1'],
        [['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'secp256k1'],
      ] as const)
        expect(await refusalOf(make(...args))).toMatchObject({
          reason: 'key',
          message: expect.stringContaining(named),
        });
      const explicit = make(
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-pkeyopt',
        'ec_param_enc:explicit',
      );
      expect(['malformed', 'key', 'signature']).toContain((await refusalOf(explicit)).reason);
    },
  );

  it('is refused where its signature is not by the key it carries, or over MD5 or SHA-1', async () => {
    const [mine, theirs] = [
      pemBytes(await csrOf(), 'CERTIFICATE REQUEST'),
      pemBytes(await csrOf(), 'CERTIFICATE REQUEST'),
    ];
    if (mine === undefined || theirs === undefined) throw new Error('no request');
    const stolen = Buffer.from(theirs);
    // The last bytes are the signature; those of another request prove nothing here.
    stolen.set(mine.subarray(-20), stolen.length - 20);
    expect((await refusalOf(pemText(new Uint8Array(stolen).buffer, 'CERTIFICATE REQUEST'))).reason).toBe('signature');
    expect(await refusalOf(await csrOf({ hash: 'SHA-1' }))).toMatchObject({ reason: 'signature' });
  });

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['a label and nothing in it', '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n'],
    ['base64 of garbage', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'],
    ['an open label', '-----BEGIN CERTIFICATE REQUEST-----\nMIIB'],
    ['what is not base64', '-----BEGIN CERTIFICATE REQUEST-----\nMI<IB>\n-----END CERTIFICATE REQUEST-----\n'],
  ])('is refused where there is %s', async (_, pem) => expect((await refusalOf(pem)).reason).toBe('malformed'));

  it('is refused before it is read where it is 10 MB long', async () => {
    const long = `-----BEGIN CERTIFICATE REQUEST-----\n${'A'.repeat(10_000_000)}\n-----END CERTIFICATE REQUEST-----\n`;
    expect((await refusalOf(long)).reason).toBe('too-large');
  });

  it('is refused where it is nested a thousand levels deep', async () => {
    let der = Buffer.alloc(0);
    for (let level = 0; level < 1_000; level += 1) {
      const length =
        der.length < 128 ? Buffer.from([der.length]) : Buffer.from([0x82, der.length >> 8, der.length & 0xff]);
      der = Buffer.concat([Buffer.from([0x30]), length, der]);
    }
    expect((await refusalOf(pemText(new Uint8Array(der).buffer, 'CERTIFICATE REQUEST'))).reason).toBe('malformed');
  });

  it('ends in its key or in a refusal, whatever bytes of it are changed', async () => {
    const keys = ecKeys();
    const good = pemBytes(await csrOf({ keys, uris: ['spiffe://cluster.local/ns/a/sa/b'] }), 'CERTIFICATE REQUEST');
    if (good === undefined) throw new Error('no request');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(good.length),
        async (edits, cut) => {
          const bytes = new Uint8Array(good);
          for (const [at, value] of edits) bytes[at] = value;
          const changed = !Buffer.from(bytes).equals(good);
          const key = await readCsr(
            pemText(bytes.slice(0, cut === 0 ? bytes.length : cut).buffer, 'CERTIFICATE REQUEST'),
          ).catch((error: unknown) => {
            if (error instanceof CertificateRefused) return undefined;
            throw error;
          });
          // Every byte of a request is signed or is its signature.
          return key === undefined || !changed || key.equals(keys.publicKey);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('ends in a refusal for any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), fc.base64String({ maxLength: 200 }), async (text, body) => {
        await refusalOf(text);
        await refusalOf(`-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`);
      }),
    );
  });
});
