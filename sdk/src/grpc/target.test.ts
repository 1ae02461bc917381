import { expect, it } from 'vitest';
import { readTarget } from './target.ts';

it.each([
  ['svc', 'svc:80', 'svc'],
  ['SVC:8080', 'svc:8080', 'svc:8080'],
  ['dns:///svc', 'svc:80', 'svc'],
  ['xds:///svc', 'svc:80', 'svc'],
  ['xds:svc:1', 'svc:1', 'svc:1'],
  ['xds://Authority.Test/svc', 'xds://authority.test/svc', 'svc'],
  ['xds://authority.test/svc:8080', 'xds://authority.test/svc:8080', 'svc:8080'],
])('%s is known as %s, and calls say %s', (text, target, authority) => {
  const read = readTarget(text, false);
  expect(read).toMatchObject({ text, authority, isFederated: target.startsWith('xds:') });
  expect(read.dialled?.target).toBe(target);
});

it.each(['unix:/tmp/x', 'ipv4:1.2.3.4:5', 'own://a/b'])('%s is a matter of grpc-js', (text) => {
  expect(readTarget(text, false)).toMatchObject({ dialled: undefined, authority: text });
});

it.each(['a/b', 'xds:///a/b', 'xds://authority/a/b', 'xds://authority/?x'])(
  '%s is none: what is allowed is said',
  (text) => {
    expect(() => readTarget(text, false)).toThrow(/is no target: write .*host:port/);
  },
);
