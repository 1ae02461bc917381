import { createMesh } from '@inmesh/sdk';
import { describe, expect, it } from 'vitest';
import { createStaticAds } from '../../harness/static-ads.ts';
import { listener, type RouteInit, routes } from '../../harness/xds-resources.ts';

const prefix = { case: 'prefix', value: '/' } as const;
const never: RouteInit = { match: { pathSpecifier: { case: 'path', value: '/never' } } };

describe('what is known against a route configuration is said', () => {
  it.each<[string, RouteInit]>([
    ['a redirect', { match: { pathSpecifier: prefix }, action: { case: 'redirect', value: {} } }],
    [
      'a direct response',
      { match: { pathSpecifier: prefix }, action: { case: 'directResponse', value: { status: 204 } } },
    ],
    ['no route', { ...never, action: { case: 'redirect', value: {} } }],
  ])('where the answer is %s', async (_what, route) => {
    const ads = createStaticAds();
    ads.set('shop:80', listener('shop:80', 'r', { serverName: 'edge' }));
    ads.set('r', routes('r', route));
    await using mesh = createMesh({ transport: ads.transport }, { env: {} });
    const { notes } = await mesh.explain({ url: 'http://shop/' });
    expect(notes.join('\n')).toMatch(/Listener "shop:80": api_listener.*server_name: ignored/);
  });
});
