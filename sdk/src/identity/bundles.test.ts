import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBundles, mergeBundles, pemBlocks } from './bundles.ts';

const pem = (body: string, label = 'CERTIFICATE'): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`;

describe('pemBlocks', () => {
  it('takes the blocks of the labels asked for, each by itself', () => {
    const text = `# ours\n${pem('AA')}\nbetween\n${pem('BB', 'PRIVATE KEY')}${pem('CC')}\r\n`;
    expect(pemBlocks(text, 'CERTIFICATE')).toEqual([pem('AA'), pem('CC')]);
    expect(pemBlocks(text, 'PRIVATE KEY', 'EC PRIVATE KEY')).toEqual([pem('BB', 'PRIVATE KEY')]);
    expect(pemBlocks(text, 'KEY')).toEqual([]);
  });

  it('takes no block that is cut off, or ends as another one', () => {
    expect(pemBlocks(`${pem('AA')}-----BEGIN CERTIFICATE-----\nAA`, 'CERTIFICATE')).toEqual([pem('AA')]);
    expect(pemBlocks('-----BEGIN CERTIFICATE-----\nAA\n-----END X509 CRL-----', 'CERTIFICATE', 'X509 CRL')).toEqual([]);
    expect(pemBlocks('-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----', 'CERTIFICATE')).toEqual([]);
  });

  it('finds every block among any text without one', () => {
    const noise = fc.string().filter((text) => !text.includes('-----'));
    fc.assert(
      fc.property(fc.array(fc.tuple(noise, fc.base64String({ minLength: 4 }))), noise, (parts, last) => {
        const text = parts.map(([before, body]) => `${before}\n${pem(body)}\n`).join('') + last;
        expect(pemBlocks(text, 'CERTIFICATE')).toEqual(parts.map(([, body]) => pem(body)));
      }),
    );
  });

  it('reads a text of beginnings alone once', () => {
    const text = '-----BEGIN CERTIFICATE-----\n'.repeat(200_000);
    expect(pemBlocks(text, 'CERTIFICATE')).toEqual([]);
    expect(pemBlocks(`${text}-----END CERTIFICATE-----`, 'CERTIFICATE')).toHaveLength(1);
  });
});

describe('bundles', () => {
  it('are by trust domain in lower case; one without roots is unknown', () => {
    const bundles = createBundles([
      ['Cluster.Local', [pem('AA')]],
      ['cluster.local', [pem('BB'), pem('AA')]],
      ['empty.test', ['nothing']],
    ]);
    expect(bundles.trustDomains).toEqual(['cluster.local']);
    expect(bundles.of('cluster.local')).toEqual([pem('AA'), pem('BB')]);
    expect(bundles.of('empty.test')).toBeUndefined();
    expect(bundles.of('__proto__')).toBeUndefined();
  });

  it('are merged trust domain by trust domain', () => {
    const one = createBundles([['a.test', [pem('AA')]]], [pem('LL', 'X509 CRL')]);
    const other = createBundles(
      [
        ['a.test', [pem('BB')]],
        ['b.test', [pem('CC')]],
      ],
      [pem('LL', 'X509 CRL'), pem('MM', 'X509 CRL')],
    );
    const both = mergeBundles(one, other);
    expect(both.of('a.test')).toEqual([pem('AA'), pem('BB')]);
    expect(both.of('b.test')).toEqual([pem('CC')]);
    expect(both.revoked).toEqual([pem('LL', 'X509 CRL'), pem('MM', 'X509 CRL')]);
  });
});
