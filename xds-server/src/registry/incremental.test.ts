import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseText } from '../schema/parse.ts';
import type { AnyObject, ChangeEvent } from '../schema/types.ts';
import type { RegistryReads } from './read-model.ts';
import { registrationEvent } from './registration.ts';
import { createRegistry, endpointsKey } from './registry.ts';

/** Small sets of everything, so that objects meet: names, labels, addresses and hosts overlap on purpose. */
const name = fc.constantFrom('a', 'b');
const label = fc.constantFrom('{app: a}', '{app: b}', '{app: a, version: v1}', '{app: b, version: v2}');
const address = fc.constantFrom('10.0.0.1', '10.0.0.2');
const hostname = fc.constantFrom('a.default.svc.cluster.local', 'x.example.com', '"*.example.com"');

const yaml = fc.oneof(
  fc
    .tuple(name, label, fc.constantFrom('80', '80, targetPort: web'), fc.constantFrom('10.9.0.1', 'None'))
    .map(
      ([n, l, port, ip]) =>
        `apiVersion: v1\nkind: Service\nmetadata: {name: ${n}}\nspec: {clusterIP: ${ip}, selector: ${l}, ports: [{port: ${port}}]}`,
    ),
  fc
    .tuple(name, fc.constantFrom('eu', 'us'))
    .map(
      ([n, region]) =>
        `apiVersion: v1\nkind: Node\nmetadata: {name: ${n}, labels: {topology.kubernetes.io/region: ${region}}}`,
    ),
  fc
    .tuple(name, label, address)
    .map(
      ([n, l, ip]) =>
        `apiVersion: v1\nkind: Pod\nmetadata: {name: ${n}, labels: ${l}}\nspec: {nodeName: ${n}, containers: [{name: c, ports: [{name: web, containerPort: 8080}]}]}\nstatus: {podIP: ${ip}}`,
    ),
  fc
    .tuple(name, label, address)
    .map(
      ([n, l, ip]) =>
        `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: ${n}}\nspec: {address: ${ip}, labels: ${l}}`,
    ),
  fc
    .tuple(name, name, address)
    .map(
      ([n, service, ip]) =>
        `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${n}, labels: {kubernetes.io/service-name: ${service}}}\naddressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [${ip}], nodeName: b, targetRef: {kind: Pod, name: ${n}}}]`,
    ),
  fc
    .tuple(name, hostname, fc.constantFrom('endpoints: [{address: 10.0.0.1}]', 'workloadSelector: {labels: {app: a}}'))
    .map(
      ([n, host, members]) =>
        `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ${n}}\nspec: {hosts: [${host}], resolution: STATIC, ports: [{number: 80, name: http}], ${members}}`,
    ),
);

const upsert = yaml.map((text): ChangeEvent => {
  const { objects, problems } = parseText(text, 'any.yaml');
  const [object] = objects;
  if (object === undefined) throw new Error(JSON.stringify(problems));
  return { kind: 'upsert', object };
});

const registered = fc
  .tuple(fc.constantFrom('1', '2'), fc.constantFrom('a', 'b', 'x.example.com'), fc.constantFrom('v1', 'v2'))
  .map(([uid, service, version]) =>
    registrationEvent({ uid, service, version, namespace: 'default', port: 9000 + Number(uid), address: '127.0.0.1' }),
  );

const event = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(upsert, registered) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('Service/default', 'Pod/default', 'WorkloadEntry/default', 'Node/').map(String),
        fc.constantFrom('EndpointSlice/default', 'ServiceEntry/default'),
        fc.boolean(),
        name,
      )
      .map(([one, other, first, n]): ChangeEvent => ({ kind: 'delete', key: `${first ? one : other}/${n}` })),
  },
);

/** Everything that can be read, by key. */
const snapshot = (registry: RegistryReads): Map<string, unknown> => {
  const all = new Map<string, unknown>([
    ['hostnames', registry.hostnames()],
    ['wildcards', registry.wildcards()],
    ['namespace default', registry.servicesIn('default')],
    ['address 10.9.0.1', registry.servicesAt('10.9.0.1')],
  ]);
  for (const workload of registry.workloads('default')) all.set(`workload default/${workload.name}`, workload);
  for (const host of registry.hostnames()) {
    all.set(`hostname ${host}`, registry.services(host));
    for (const service of registry.services(host)) {
      all.set(`service ${service.key}`, registry.service(service.key));
      for (const { number } of service.ports) {
        all.set(`endpoints ${endpointsKey(service.key, number)}`, registry.endpoints(service.key, number));
      }
    }
  }
  return all;
};

it('reads the same after any events as a registry that is given what is left of them at once', () => {
  fc.assert(
    fc.property(fc.array(fc.array(event, { maxLength: 4 }), { maxLength: 8 }), (batches) => {
      const registry = createRegistry();
      const left = new Map<string, AnyObject>();
      for (const batch of batches) {
        const before = snapshot(registry);
        const changes = registry.apply(batch);
        const after = snapshot(registry);
        for (const one of batch) {
          if (one.kind === 'delete') left.delete(one.key);
          else left.set(one.object.key, one.object);
        }
        const fresh = createRegistry();
        fresh.apply([...left.values()].map((object) => ({ kind: 'upsert', object })));
        expect(after).toEqual(snapshot(fresh));
        expectNamed(before, after, changes);
      }
    }),
    { numRuns: 150 },
  );
});

/** What reads as another value was named in the changes; what was not named is the very same object. */
const expectNamed = (
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  changes: ReturnType<ReturnType<typeof createRegistry>['apply']>,
): void => {
  const named = new Set([
    ...[...changes.services].map((key) => `service ${key}`),
    ...[...changes.endpoints].map((key) => `endpoints ${key}`),
    ...[...changes.hostnames].map((key) => `hostname ${key}`),
    ...[...changes.namespaces].map((key) => `namespace ${key}`),
    ...[...changes.addresses].map((key) => `address ${key}`),
    ...[...changes.workloads].map((key) => `workload ${key}`),
    ...(changes.hostnameSet ? ['hostnames', 'wildcards'] : []),
  ]);
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    if (!named.has(key)) expect([key, before.get(key) === after.get(key)]).toEqual([key, true]);
  }
};
