import { expect, it } from 'vitest';
import { listenerNameOf } from './listener-name.ts';

const names = {
  listenerTemplate: 'top/%s',
  authorityTemplates: new Map([['a.example', 'xdstp://a.example/envoy.config.listener.v3.Listener/of/%s?x=1']]),
};

it.each([
  ['svc:80', 'top/svc:80'],
  ['xds://a.example/svc:80', 'xdstp://a.example/envoy.config.listener.v3.Listener/of/svc:80?x=1'],
  ['xds://b.example/svc', 'xdstp://b.example/envoy.config.listener.v3.Listener/svc'],
  ['xds://b.example/[::1]:80', 'xdstp://b.example/envoy.config.listener.v3.Listener/%5B::1%5D:80'],
])('the listener of %s is %s: by the template of its authority, else by that of A47 (gRFC A47)', (target, name) => {
  expect(listenerNameOf(names, target)).toBe(name);
});
