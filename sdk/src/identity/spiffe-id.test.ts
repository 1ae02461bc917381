import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSpiffeId, trustDomainFault, workloadUri } from './spiffe-id.ts';

describe('parseSpiffeId', () => {
  it("reads Istio's workload ids", () => {
    expect(parseSpiffeId('spiffe://cluster.local/ns/default/sa/reviews')).toEqual({
      uri: 'spiffe://cluster.local/ns/default/sa/reviews',
      trustDomain: 'cluster.local',
      path: '/ns/default/sa/reviews',
      workload: { namespace: 'default', serviceAccount: 'reviews' },
    });
  });

  it('compares trust domains in lower case and paths exactly (SPIFFE-ID §2)', () => {
    expect(parseSpiffeId('spiffe://Cluster.Local/NS/a')).toMatchObject({ uri: 'spiffe://cluster.local/NS/a' });
  });

  it.each([
    'spiffe://td.test',
    'spiffe://td.test/host/node-1',
    'spiffe://td.test/ns/a/sa/b/extra',
    'spiffe://td.test/ns/a/svc/b',
    'spiffe://td.test/x/ns/a/sa/b',
  ])('%s is an id, but of no workload of Istio', (uri) => {
    const id = parseSpiffeId(uri);
    expect(id).toMatchObject({ uri });
    expect(id).not.toHaveProperty('workload');
  });

  it.each([
    ['https://td.test/ns/a/sa/b', 'spiffe://'],
    ['SPIFFE://td.test/a', 'spiffe://'],
    ['spiffe:td.test/a', 'spiffe://'],
    ['', 'spiffe://'],
    ['spiffe://', 'no trust domain'],
    ['spiffe:///ns/a/sa/b', 'no trust domain'],
    ['spiffe://user@td.test/a', 'trust domain'],
    ['spiffe://td.test:443/a', 'trust domain'],
    ['spiffe://td.test?x=1', 'trust domain'],
    ['spiffe://td.test#x', 'trust domain'],
    ['spiffe://t%64.test/a', 'trust domain'],
    ['spiffe://tд.test/a', 'trust domain'],
    [`spiffe://${'a'.repeat(256)}/a`, '255'],
    ['spiffe://td.test/', 'empty segment'],
    ['spiffe://td.test/a/', 'empty segment'],
    ['spiffe://td.test//a', 'empty segment'],
    ['spiffe://td.test/a/./b', '".."'],
    ['spiffe://td.test/a/../b', '".."'],
    ['spiffe://td.test/a%2fb', 'path'],
    ['spiffe://td.test/a?b', 'path'],
    ['spiffe://td.test/a#b', 'path'],
    ['spiffe://td.test/a b', 'path'],
    ['spiffe://td.test/a,b', 'path'],
    ['spiffe://td.test/a\0', 'path'],
    ['spiffe://td.test/a\n', 'path'],
    [`spiffe://td.test/${'a'.repeat(2_048)}`, '2048'],
  ])('refuses %j', (uri, reason) => {
    expect(parseSpiffeId(uri)).toEqual(expect.stringContaining(reason));
  });

  const segment = fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}$/).filter((one) => one !== '.' && one !== '..');
  const trustDomain = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,40}$/);

  it('what it makes of an id is the id', () => {
    fc.assert(
      fc.property(trustDomain, fc.array(segment, { maxLength: 6 }), (name, segments) => {
        const path = segments.map((one) => `/${one}`).join('');
        const uri = `spiffe://${name}${path}`;
        const id = parseSpiffeId(uri);
        expect(id).toMatchObject({ uri, trustDomain: name });
        expect(parseSpiffeId(`spiffe://${name.toUpperCase()}${path}`)).toEqual(id);
      }),
    );
  });

  it("namespace and service account come back out of Istio's form", () => {
    fc.assert(
      fc.property(trustDomain, segment, segment, (name, namespace, serviceAccount) => {
        expect(parseSpiffeId(workloadUri(name, namespace, serviceAccount))).toMatchObject({
          workload: { namespace, serviceAccount },
        });
      }),
    );
  });

  it('any text is an id or refused, and an id holds nothing but letters, digits, ".", "-", "_" and "/"', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((rest) => `spiffe://td/${rest}`),
        ),
        (uri) => {
          const id = parseSpiffeId(uri);
          if (typeof id !== 'string') expect(id.uri).toMatch(/^spiffe:\/\/[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/);
        },
      ),
    );
  });

  it('a trust domain by itself is held to the same rule', () => {
    expect(trustDomainFault('cluster.local')).toBeUndefined();
    expect(trustDomainFault('')).toContain('no trust domain');
    expect(trustDomainFault('a/b')).toContain('trust domain');
  });
});
