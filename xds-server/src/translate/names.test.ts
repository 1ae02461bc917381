import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bySpecificity,
  clusterName,
  hostCandidates,
  hostCovers,
  parseClusterName,
  parseTarget,
  resolveHost,
  sniName,
} from './names.ts';

const DOMAIN = 'cluster.local';

describe('names', () => {
  it('clusters are outbound|port|subset|host, and read back', () => {
    const key = { port: 9080, subset: 'v1', host: 'reviews.default.svc.cluster.local' };
    expect(clusterName(key)).toBe('outbound|9080|v1|reviews.default.svc.cluster.local');
    expect(parseClusterName(clusterName(key))).toEqual(key);
    expect(sniName(key)).toBe('outbound_.9080_.v1_.reviews.default.svc.cluster.local');
  });

  it.each([
    '',
    'reviews',
    'inbound|80||a',
    'outbound|80|a',
    'outbound|0||a',
    'outbound|x||a',
    'outbound|80||',
    'outbound|80||a|b',
  ])('refuses the cluster name %j', (name) => expect(parseClusterName(name)).toBeUndefined());

  it.each([
    ['reviews:9080', 'reviews', 9080],
    ['Reviews.Default.:80', 'reviews.default', 80],
    ['10.0.0.1:443', '10.0.0.1', 443],
    ['[::1]:8080', '::1', 8080],
  ])('reads the target %s', (target, host, port) => expect(parseTarget(target)).toEqual({ host, port }));

  it.each(['reviews', 'reviews:', ':80', 'reviews:0', 'reviews:65536', 'reviews:08080', '::1:80'])(
    'refuses the target %j',
    (target) => expect(parseTarget(target)).toBeUndefined(),
  );

  it('completes a host without a dot in the namespace of its rule, and nothing else (Istio ResolveShortnameToFQDN)', () => {
    expect(resolveHost('reviews', 'shop', DOMAIN)).toBe('reviews.shop.svc.cluster.local');
    expect(resolveHost('reviews.shop', 'other', DOMAIN)).toBe('reviews.shop');
    expect(resolveHost('API.example.com', 'shop', DOMAIN)).toBe('api.example.com');
    for (const host of ['*', '*.example.com', '10.0.0.1', '::1']) expect(resolveHost(host, 'shop', DOMAIN)).toBe(host);
  });

  it('a client may call a service by each of its aliases', () => {
    const fqdn = 'reviews.shop.svc.cluster.local';
    for (const alias of ['reviews', 'reviews.shop', 'reviews.shop.svc', fqdn]) {
      expect(hostCandidates(alias, 'shop', DOMAIN)).toContain(fqdn);
    }
    expect(hostCandidates('reviews', 'other', DOMAIN)).not.toContain(fqdn);
    expect(hostCandidates('10.0.0.1', 'shop', DOMAIN)).toEqual(['10.0.0.1']);
  });

  it('a wildcard covers what ends in it, wildcards included, and nothing shorter', () => {
    expect(hostCovers('*.example.com', 'a.example.com')).toBe(true);
    expect(hostCovers('*.example.com', 'a.b.example.com')).toBe(true);
    expect(hostCovers('*.example.com', 'example.com')).toBe(false);
    expect(hostCovers('*.example.com', '*.b.example.com')).toBe(true);
    expect(hostCovers('*.b.example.com', '*.example.com')).toBe(false);
    expect(hostCovers('*', 'anything')).toBe(true);
    expect(hostCovers('a.example.com', 'b.example.com')).toBe(false);
  });

  it('orders exact before wildcard and longer before shorter', () => {
    const hosts = ['*', '*.com', 'a.b', '*.example.com', 'api.example.com'];
    expect(hosts.toSorted(bySpecificity)).toEqual(['api.example.com', 'a.b', '*.example.com', '*.com', '*']);
  });

  it('never throws on a name from outside', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseClusterName(text);
        parseTarget(text);
        hostCandidates(text, 'default', DOMAIN);
      }),
    );
  });
});
