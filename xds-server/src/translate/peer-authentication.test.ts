import { describe, expect, it } from 'vitest';
import { meshConfig, peerAuthentication } from './fixtures/mutual-tls.ts';
import { worldFromYaml } from './fixtures/world-from-yaml.ts';
import { inboundMode } from './peer-authentication.ts';

const SUBJECT = { namespace: 'default', labels: new Map([['app', 'reviews']]) };

/** `MODE by NAMESPACE/NAME`. */
const decided = (yaml: readonly string[], port = 9080, subject = SUBJECT): string => {
  const { mode, decidedBy } = inboundMode(worldFromYaml(...yaml), subject, port);
  return decidedBy === undefined ? mode : `${mode} by ${decidedBy.namespace}/${decidedBy.name}`;
};

const mesh = (mode: string) =>
  peerAuthentication(`{ mtls: { mode: ${mode} } }`, { name: 'mesh', namespace: 'istio-system' });
const namespace = (mode: string) => peerAuthentication(`{ mtls: { mode: ${mode} } }`, { name: 'ns' });
const own = (spec: string, more: Parameters<typeof peerAuthentication>[1] = {}) =>
  peerAuthentication(`{ selector: { matchLabels: { app: reviews } }, ${spec} }`, { name: 'own', ...more });

describe('PeerAuthentication: what a port takes', () => {
  it.each([
    ['nothing written', [], 'PERMISSIVE'],
    ['the mesh', [mesh('STRICT')], 'STRICT by istio-system/mesh'],
    ['the namespace before the mesh', [mesh('STRICT'), namespace('DISABLE')], 'DISABLE by default/ns'],
    [
      'the workload before the namespace',
      [namespace('DISABLE'), own('mtls: { mode: STRICT }')],
      'STRICT by default/own',
    ],
    ['UNSET inherits: namespace', [mesh('STRICT'), namespace('UNSET')], 'STRICT by istio-system/mesh'],
    ['UNSET inherits: workload', [namespace('STRICT'), own('mtls: { mode: UNSET }')], 'STRICT by default/ns'],
    ['UNSET all the way up', [mesh('UNSET'), namespace('UNSET')], 'PERMISSIVE'],
    [
      'nothing but ports',
      [namespace('STRICT'), own('portLevelMtls: { 80: { mode: DISABLE } }')],
      'STRICT by default/ns',
    ],
    ['the port', [namespace('STRICT'), own('portLevelMtls: { 9080: { mode: DISABLE } }')], 'DISABLE by default/own'],
    [
      'a port that is UNSET: as its workload',
      [namespace('DISABLE'), own('mtls: { mode: STRICT }, portLevelMtls: { 9080: { mode: UNSET } }')],
      'STRICT by default/own',
    ],
  ])('%s', (_, yaml, expected) => {
    expect(decided(yaml)).toBe(expected);
    expect(decided(yaml.toReversed())).toBe(expected);
  });

  it('ports count with a selector alone', () => {
    const wide = peerAuthentication('{ mtls: { mode: STRICT }, portLevelMtls: { 9080: { mode: DISABLE } } }');
    expect(decided([wide])).toBe('STRICT by default/default');
  });

  it('another namespace’s, and one whose labels are others, are not looked at', () => {
    const other = peerAuthentication('{ mtls: { mode: STRICT } }', { namespace: 'shop' });
    const ratings = peerAuthentication('{ selector: { matchLabels: { app: ratings } }, mtls: { mode: STRICT } }');
    expect(decided([other, ratings])).toBe('PERMISSIVE');
  });

  it('with a selector the root namespace’s applies everywhere (PeerAuthentication.selector)', () => {
    const root = own('mtls: { mode: STRICT }', { name: 'root', namespace: 'istio-system' });
    expect(decided([root, namespace('DISABLE')])).toBe('STRICT by istio-system/root');
  });

  it('of several of one level the oldest, then the first by name', () => {
    const young = own('mtls: { mode: STRICT }', { name: 'a', created: '2026-02-01T00:00:00Z' });
    const old = own('mtls: { mode: DISABLE }', { name: 'b', created: '2026-01-01T00:00:00Z' });
    expect(decided([young, old])).toBe('DISABLE by default/b');
    const [first, second] = ['a', 'b'].map((name) => peerAuthentication('{ mtls: { mode: STRICT } }', { name }));
    expect(decided([second ?? '', first ?? ''])).toBe('STRICT by default/a');
  });

  it('the root namespace is the MeshConfig’s', () => {
    const root = peerAuthentication('{ mtls: { mode: STRICT } }', { namespace: 'admin' });
    expect(decided([root])).toBe('PERMISSIVE');
    expect(decided([root, meshConfig('{ rootNamespace: admin }')])).toBe('STRICT by admin/default');
  });
});
