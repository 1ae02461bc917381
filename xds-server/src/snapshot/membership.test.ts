import { describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../schema/types.ts';
import { objectsOf } from '../translate/fixtures/world-from-yaml.ts';
import { createMembership } from './membership.ts';

const upserts = (yaml: string): ChangeEvent[] => objectsOf(yaml).map((object) => ({ kind: 'upsert', object }));
const names = (events: readonly ChangeEvent[]): readonly string[] =>
  events.map((event) => (event.kind === 'upsert' ? event.object.key : `-${event.key}`));

const service = (namespace: string): string => `
apiVersion: v1
kind: Service
metadata: { name: a, namespace: ${namespace} }
spec: { ports: [{ port: 80 }] }
`;
const namespace = (name: string, labels: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: ${name}, labels: ${labels} }
`;
const mesh = (config: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: '${config}' }
`;
const SELECT = mesh('discoverySelectors: [{ matchLabels: { mesh: "yes" } }]');

describe('discoverySelectors', () => {
  it('without any, everything belongs', () => {
    const membership = createMembership();
    expect(names(membership.apply(upserts(service('shop'))))).toEqual(['Service/shop/a']);
  });

  it('let through namespaces that one of them selects, and the root namespace', () => {
    const membership = createMembership();
    membership.apply([...upserts(SELECT), ...upserts(namespace('shop', '{ mesh: "yes" }'))]);
    expect(
      names(membership.apply(upserts([service('shop'), service('bank'), service('istio-system')].join('---')))),
    ).toEqual(['Service/shop/a', 'Service/istio-system/a']);
  });

  it('know a namespace that nobody wrote by its name', () => {
    const membership = createMembership();
    const byName = 'discoverySelectors: [{ matchLabels: { kubernetes.io/metadata.name: shop } }]';
    membership.apply(upserts(mesh(byName)));
    expect(names(membership.apply(upserts([service('shop'), service('bank')].join('---'))))).toEqual([
      'Service/shop/a',
    ]);
  });

  it('a label that comes or goes brings or takes the whole namespace', () => {
    const membership = createMembership();
    membership.apply(upserts([SELECT, service('shop')].join('---')));
    expect(names(membership.apply(upserts(namespace('shop', '{ mesh: "yes" }'))))).toEqual([
      'Namespace//shop',
      'Service/shop/a',
    ]);
    expect(names(membership.apply(upserts(namespace('shop', '{ mesh: "no" }'))))).toEqual([
      'Namespace//shop',
      '-Service/shop/a',
    ]);
    expect(names(membership.apply([{ kind: 'delete', key: 'ConfigMap/istio-system/istio' }]))).toEqual([
      '-ConfigMap/istio-system/istio',
      'Service/shop/a',
    ]);
  });

  it('an object of a foreign namespace that goes is told once too often rather than never', () => {
    const membership = createMembership();
    membership.apply(upserts([SELECT, service('shop')].join('---')));
    expect(names(membership.apply([{ kind: 'delete', key: 'Service/shop/a' }]))).toEqual(['-Service/shop/a']);
  });
});
