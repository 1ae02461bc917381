import { describe, expect, it } from 'vitest';
import { authorityOf, dialledOf, isLoopback } from './dialled.ts';

const of = (url: string) => dialledOf(new URL(url));

describe('what is dialled', () => {
  it('is the host and port of the URL, the usual port where it has none', () => {
    expect(of('http://reviews/a?b#c')).toEqual({
      scheme: 'http',
      host: 'reviews',
      port: 80,
      target: 'reviews:80',
      authority: 'reviews',
      path: '/a?b',
    });
    expect(of('https://reviews:9443')).toMatchObject({ port: 9443, target: 'reviews:9443', authority: 'reviews:9443' });
    expect(of('https://reviews')).toMatchObject({ port: 443, target: 'reviews:443', authority: 'reviews' });
  });

  it('is lower case and has no trailing dot: `Reviews.` and `reviews` are one host', () => {
    expect(of('http://REVIEWS.:9080/')).toMatchObject({
      host: 'reviews',
      target: 'reviews:9080',
      authority: 'reviews:9080',
    });
    expect(of('http://reviews./')).toMatchObject({ target: 'reviews:80', authority: 'reviews' });
  });

  it('keeps the brackets of an IPv6 literal in names and drops them where it is dialled', () => {
    expect(of('http://[2001:DB8::1]:81/')).toMatchObject({ host: '2001:db8::1', target: '[2001:db8::1]:81' });
  });

  it('has the path a URL has: dots are resolved, doubled slashes and %2F stay', () => {
    expect(of('http://a/x/../admin').path).toBe('/admin');
    expect(of('http://a/x/%2e%2e/admin').path).toBe('/admin');
    expect(of('http://a//admin%2Fx').path).toBe('//admin%2Fx');
    expect([of('http://a/?').path, of('http://a/?#?').path, of('http://a/#?').path]).toEqual(['/?', '/?', '/']);
  });
});

describe('an explicit host header', () => {
  it('is an authority: lower case, no trailing dot, its port as written', () => {
    expect(authorityOf('Reviews.')).toBe('reviews');
    expect(authorityOf('Reviews.:80')).toBe('reviews:80');
    expect(authorityOf('[::1]:80')).toBe('[::1]:80');
  });
});

describe('loopback', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:7f00:1'])('%s is this machine', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(['localhost', '128.0.0.1', '169.254.169.254', 'fe80::1', '127.example.com'])('%s may be the mesh', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
