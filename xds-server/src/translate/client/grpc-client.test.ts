import { describe, expect, it } from 'vitest';
import { viewFrom } from '../fixtures/world-from-yaml.ts';
import { canonicalView, viewKey, viewOfKey } from '../view.ts';
import { grpcTraits } from './grpc-client.ts';

const NOTHING = { labelKeys: new Set<string>() };

describe('a gRPC client', () => {
  it.each([
    ['gRPC Go', '1.85.0', 'go', []],
    ['gRPC C-core linux', 'C-core 53.0.0', 'core', ['earlyTimeouts']],
    ['gRPC Java', '1.68.2', 'java', []],
    ['gRPC Java', '1.69.0', 'java', ['systemRoots']],
    ['gRPC Java', '2.0.0-SNAPSHOT', 'java', ['systemRoots']],
    ['gRPC Java', 'unreleased', 'java', []],
    ['gRPC Node Pure JS', '1.14.1', 'node', []],
    ['tonic-xds', '9.9', 'unknown', []],
    ['', '', 'unknown', []],
  ])('that says "%s" "%s" is %s', (userAgent, version, client, abilities) => {
    expect(grpcTraits({ userAgent, version })).toEqual({ client, abilities });
  });

  it('shares a View with every other one of the same abilities', () => {
    const key = (userAgent: string, version: string): string =>
      viewKey(canonicalView(viewFrom('a', { kind: 'grpc', ...grpcTraits({ userAgent, version }) }), NOTHING));
    const [go, core, node, oldJava, java] = [
      key('gRPC Go', '1.85.0'),
      key('gRPC C-core linux', 'C-core 53.0.0'),
      key('gRPC Node Pure JS', '1.14.1'),
      key('gRPC Java', '1.60.0'),
      key('gRPC Java', '1.85.0'),
    ];
    expect(new Set([go, node, oldJava]).size).toBe(1);
    expect(new Set([go, core, java]).size).toBe(3);
    expect(viewOfKey(java).abilities).toEqual(['systemRoots']);
    expect(viewOfKey(go)).not.toHaveProperty('abilities');
  });
});
