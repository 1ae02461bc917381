import { describe, expect, it } from 'vitest';
import type { Listener, RouteConfiguration } from '../model/route.ts';
import { action, decode, host, to } from '../resource/route/route-configuration.fixture.ts';
import { withListenerDefaults } from './listener-defaults.ts';

const plain: Listener = { name: 'a:1', routes: { kind: 'rds', routeConfigurationName: 'r' } };
const full: Listener = {
  ...plain,
  maxStreamDurationMs: 9_000,
  idleTimeoutMs: 1_000,
  fault: { maxActive: 1 },
  statefulSession: { kind: 'header', name: 'x-host', strict: false },
};
function routes(...more: Parameters<typeof to>): RouteConfiguration {
  const decoded = decode(host(to(...more), { match: { prefix: '/' }, redirect: {} }));
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  return decoded.ok;
}
const first = (configuration: RouteConfiguration) => configuration.virtualHosts[0]?.routes[0]?.action;

describe('what the listener says for all routes', () => {
  it('nothing: the same object', () => {
    const configuration = routes();
    expect(withListenerDefaults(plain, configuration)).toBe(configuration);
  });

  it('is written into routes that forward, once for the same two', () => {
    const configuration = routes();
    const filled = withListenerDefaults(full, configuration);
    expect(first(filled)).toMatchObject({
      ...action({}),
      maxStreamDurationMs: 9_000,
      idleTimeoutMs: 1_000,
      fault: { maxActive: 1 },
      statefulSession: { name: 'x-host' },
    });
    expect(filled.virtualHosts[0]?.routes[1]?.action.kind).toBe('redirect');
    expect(withListenerDefaults(full, configuration)).toBe(filled);
    expect(withListenerDefaults({ ...full }, configuration)).not.toBe(filled);
  });

  it('gives way to what a route says itself', () => {
    const filled = withListenerDefaults(
      full,
      routes({ idleTimeout: '0s', maxStreamDuration: { maxStreamDuration: '1s' } }),
    );
    expect(first(filled)).toMatchObject({ idleTimeoutMs: 0, maxStreamDurationMs: 1_000, fault: { maxActive: 1 } });
  });
});
