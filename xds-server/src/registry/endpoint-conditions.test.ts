import { describe, expect, it } from 'vitest';
import { parseText } from '../schema/parse.ts';
import { createRegistry } from './registry.ts';

const registryOf = (yaml: string) => {
  const { objects, problems } = parseText(yaml, 'mesh.yaml');
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  const registry = createRegistry();
  registry.apply(objects.map((object) => ({ kind: 'upsert', object })));
  return registry;
};

const listed = (yaml: string, key = 'default/a.default.svc.cluster.local') =>
  registryOf(yaml)
    .endpoints(key, 80)
    .map(({ address, port, health }) => `${address} ${port} ${health}`);

const service = (more: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: [{ name: http, port: 80 }]${more} }\n`;
const slice = (family: string, address: string, conditions: string) =>
  `---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: a-${family.toLowerCase()}, labels: { kubernetes.io/service-name: a } }\naddressType: ${family}\nports: [{ name: http, port: 8080 }]\nendpoints: [{ addresses: ["${address}"], conditions: ${conditions} }]\n`;

describe('conditions of an EndpointSlice (discovery.k8s.io/v1 EndpointConditions)', () => {
  it.each([
    ['{}', 'healthy', 'healthy'],
    ['{ ready: true }', 'healthy', 'healthy'],
    ['{ ready: false }', undefined, 'healthy'],
    ['{ ready: false, serving: true }', undefined, 'healthy'],
    ['{ ready: false, serving: true, terminating: true }', 'draining', 'draining'],
    ['{ ready: false, serving: false, terminating: true }', undefined, undefined],
    ['{ ready: false, terminating: true }', 'draining', 'draining'],
    ['{ ready: null, serving: null, terminating: null }', 'healthy', 'healthy'],
  ])('%s is %s, where not ready addresses are published %s', (conditions, health, published) => {
    const expected = (state: string | undefined) => (state === undefined ? [] : [`10.1.0.1 8080 ${state}`]);
    const endpoints = slice('IPv4', '10.1.0.1', conditions);
    expect(listed(service('') + endpoints)).toEqual(expected(health));
    expect(listed(service(', publishNotReadyAddresses: true') + endpoints)).toEqual(expected(published));
  });
});

describe('kinds of services', () => {
  it.each([
    ['headless', ', clusterIP: None'],
    ['dual stack', ', clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], ipFamilyPolicy: PreferDualStack'],
  ])('%s: the endpoints of both families', (_, more) => {
    expect(listed(service(more) + slice('IPv4', '10.1.0.1', '{}') + slice('IPv6', 'fd00::a', '{}'))).toEqual([
      '10.1.0.1 8080 healthy',
      'fd00::a 8080 healthy',
    ]);
  });

  it.each([
    ['a named target port is the container port of each Pod', '8081', 'web'],
    ['a number is taken as it is', '9090', '9090'],
  ])('%s', (_, expected, targetPort) => {
    const pod = (name: string, ip: string, port: string) =>
      `---\napiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, labels: { app: a } }\nspec: { containers: [{ name: c, ports: [{ name: ${port}, containerPort: 8081 }] }] }\nstatus: { podIP: ${ip} }\n`;
    const text = service(', selector: { app: a }').replace('port: 80 ', `port: 80, targetPort: ${targetPort} `);
    const all = listed(text + pod('one', '10.1.0.1', 'web') + pod('two', '10.1.0.2', 'other'));
    expect(all[0]).toBe(`10.1.0.1 ${expected} healthy`);
    // A Pod without a port of that name does not serve.
    expect(all).toHaveLength(targetPort === 'web' ? 1 : 2);
  });
});
