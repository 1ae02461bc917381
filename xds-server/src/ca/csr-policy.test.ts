import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOf, keyFault, nameFault } from './csr-policy.ts';

const DAY = 86_400_000;

describe('keys', () => {
  it.each([
    [{ type: 'ec', curve: 'prime256v1' }],
    [{ type: 'ec', curve: 'secp384r1' }],
    [{ type: 'ed25519' }],
    [{ type: 'rsa', bits: 2_048, exponent: 65_537n }],
    [{ type: 'rsa', bits: 8_192, exponent: 65_537n }],
  ])('certifies %o', (facts) => expect(keyFault(facts)).toBeUndefined());

  it.each([
    [{ type: 'ec', curve: 'secp224r1' }, 'secp224r1'],
    [{ type: 'ec', curve: 'secp256k1' }, 'secp256k1'],
    [{ type: 'ec' }, 'no named curve'],
    [{ type: 'rsa', bits: 2_047, exponent: 65_537n }, '2047 bits'],
    [{ type: 'rsa', bits: 16_384, exponent: 65_537n }, '16384 bits'],
    [{ type: 'rsa', bits: 2_048, exponent: 3n }, 'exponent 3'],
    [{ type: 'rsa', bits: 2_048, exponent: 65_538n }, 'exponent 65538'],
    [{ type: 'rsa-pss', bits: 2_048, exponent: 65_537n }, 'rsa-pss'],
    [{ type: 'ed448' }, 'ed448'],
    [{ type: 'x25519' }, 'x25519'],
    [{ type: 'dsa' }, 'dsa'],
    [{ type: undefined }, 'unknown'],
  ])('refuses %o', (facts, named) => expect(keyFault(facts)).toContain(named));
});

describe('lifetimes', () => {
  const base = { nowMs: 1_000_000, issuerEndMs: 1_000_000 + 3_650 * DAY, defaultMs: DAY, maxMs: 90 * DAY };

  it('is a day where none, or less, is asked for (istiod)', () => {
    for (const askedMs of [0, -1, Number.NEGATIVE_INFINITY]) expect(endOf({ ...base, askedMs })).toBe(1_000_000 + DAY);
  });

  it('refuses more than 90 days instead of cutting it (istiod MAX_WORKLOAD_CERT_TTL)', () => {
    expect(endOf({ ...base, askedMs: 90 * DAY })).toBe(1_000_000 + 90 * DAY);
    for (const askedMs of [90 * DAY + 1, 3_650 * DAY, Number.POSITIVE_INFINITY, Number.NaN])
      expect(endOf({ ...base, askedMs })).toContain('7776000 s are allowed');
  });

  it('never ends after its issuer, and is nothing once the issuer has ended', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -DAY, max: 90 * DAY }),
        fc.integer({ min: -DAY, max: 100 * DAY }),
        (askedMs, leftMs) => {
          const end = endOf({ ...base, askedMs, issuerEndMs: base.nowMs + leftMs });
          if (typeof end === 'string') return leftMs < 1_000;
          return end <= base.nowMs + leftMs && end > base.nowMs && end <= base.nowMs + base.maxMs;
        },
      ),
    );
  });
});

describe('names', () => {
  const uri = (text: string) => nameFault({ uris: [text] }, 'cluster.local');

  it('certifies one SPIFFE ID of its own trust domain', () => {
    expect(uri('spiffe://cluster.local/ns/default/sa/reviews')).toBeUndefined();
    expect(uri('spiffe://cluster.local/anything/else')).toBeUndefined();
  });

  it.each([
    'spiffe://cluster.local',
    'spiffe://cluster.local/',
    'spiffe://CLUSTER.local/ns/a/sa/b',
    'spiffe://cluster.local.evil/ns/a/sa/b',
    'spiffe://other/ns/a/sa/b',
    'spiffe://cluster.local/ns/../sa/b',
    'spiffe://cluster.local/ns/a%2fb/sa/b',
    'spiffe://cluster.local/ns/a/sa/b\n',
    'spiffe://cluster.local/ns/a/sa/b, URI:spiffe://cluster.local/ns/x/sa/y',
    'https://cluster.local/ns/a/sa/b',
    `spiffe://cluster.local/${'a'.repeat(2_048)}`,
    '',
  ])('refuses %j', (text) => expect(uri(text)).toContain(JSON.stringify(text.slice(0, 256))));

  it('refuses two URIs (X.509-SVID §2), no name at all, and what is no DNS name or IP address', () => {
    const good = 'spiffe://cluster.local/ns/a/sa/b';
    expect(nameFault({ uris: [good, good] }, 'cluster.local')).toContain('2 URIs');
    expect(nameFault({ uris: [] }, 'cluster.local')).toContain('nobody');
    expect(nameFault({ uris: [], dns: ['a b'] }, 'cluster.local')).toContain('DNS');
    expect(nameFault({ uris: [], dns: ['a..b'] }, 'cluster.local')).toContain('DNS');
    expect(nameFault({ uris: [], ips: ['1.2.3.4.example'] }, 'cluster.local')).toContain('IP');
    expect(
      nameFault({ uris: [], dns: ['localhost', 'istiod.istio-system.svc'], ips: ['::1', '10.0.0.1'] }, 'cluster.local'),
    ).toBeUndefined();
  });

  it('takes nothing for a name that could end one and begin another, whatever text comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (tail) => {
        const text = `spiffe://cluster.local/ns/a/sa/${tail}`;
        return uri(text) !== undefined || /^[A-Za-z0-9._/-]+$/.test(tail);
      }),
    );
  });
});
