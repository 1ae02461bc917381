import { describe, expect, it } from 'vitest';
import { parseText } from '../schema/parse.ts';
import type { ChangeEvent } from '../schema/types.ts';
import { type Registration, registrationEvent, registrationKey } from './registration.ts';
import { createRegistry } from './registry.ts';

const events = (yaml: string): ChangeEvent[] => {
  const { objects, problems } = parseText(yaml, 'mesh.yaml');
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  return objects.map((object) => ({ kind: 'upsert', object }));
};

const registryOf = (yaml: string) => {
  const registry = createRegistry();
  const changes = registry.apply(events(yaml));
  return { registry, changes };
};

const process = (uid: string, more: Partial<Registration> = {}): ChangeEvent =>
  registrationEvent({ uid, service: 'reviews', namespace: 'default', port: 9081, address: '127.0.0.1', ...more });

const REVIEWS = `
apiVersion: v1
kind: Service
metadata: {name: reviews, labels: {team: books}}
spec:
  clusterIP: 10.0.0.7
  selector: {app: reviews}
  ports:
  - {name: http, port: 9080, targetPort: web}
  - {name: grpc-api, port: 9090}
`;

const pod = (name: string, ip: string, more = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: reviews, version: v1, istio-locality: eu.a.r1}}
spec:
  serviceAccountName: bookinfo-reviews
  containers: [{name: app, image: x, ports: [{name: web, containerPort: 8080}]}]
status: {podIP: ${ip}${more}}
`;

const KEY = 'default/reviews.default.svc.cluster.local';

describe('registry: Kubernetes services', () => {
  it('names a Service by its full hostname and selects protocols by name prefix', () => {
    const { registry, changes } = registryOf(REVIEWS);
    const [service] = registry.services('reviews.default.svc.cluster.local');
    expect(service).toMatchObject({
      key: KEY,
      kind: 'kubernetes',
      resolution: 'client-side-lb',
      addresses: ['10.0.0.7'],
      ports: [
        { number: 9080, name: 'http', protocol: 'http', targetPort: 'web' },
        { number: 9090, name: 'grpc-api', protocol: 'grpc' },
      ],
      objectKey: 'Service/default/reviews',
    });
    expect(registry.servicesAt('10.0.0.7')).toEqual([service]);
    expect(registry.servicesIn('default')).toEqual([service]);
    expect(registry.hostnames()).toEqual(['reviews.default.svc.cluster.local']);
    expect([...changes.services]).toEqual([KEY]);
    expect(changes.hostnameSet).toBe(true);
    expect([...changes.addresses]).toEqual(['10.0.0.7']);
  });

  it('selects Pods where there are no slices, resolves named target ports, leaves out Pods that are not ready', () => {
    const notReady = ', conditions: [{type: Ready, status: "False"}]';
    const { registry } = registryOf(
      [REVIEWS, pod('b', '10.1.0.2'), pod('a', '10.1.0.1'), pod('c', '10.1.0.3', notReady)].join('---'),
    );
    expect(registry.endpoints(KEY, 9080)).toMatchObject([
      {
        address: '10.1.0.1',
        port: 8080,
        health: 'healthy',
        locality: { region: 'eu', zone: 'a', subZone: 'r1' },
        serviceAccount: 'bookinfo-reviews',
        workload: 'a',
      },
      { address: '10.1.0.2', port: 8080 },
    ]);
    expect(registry.endpoints(KEY, 9090)).toMatchObject([{ port: 9090 }, { port: 9090 }]);
    expect(registry.workloads('default').map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('takes EndpointSlices before Pods, labels by targetRef or address, and drains what terminates but serves', () => {
    const slice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-x, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.1.0.1], zone: z1, targetRef: {kind: Pod, name: a}}
- {addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.1.0.3], conditions: {ready: false}}
- {addresses: [10.1.0.4], conditions: {ready: true, serving: null}}
`;
    const { registry } = registryOf([REVIEWS, pod('a', '10.1.0.1'), pod('d', '10.1.0.9'), slice].join('---'));
    const endpoints = registry.endpoints(KEY, 9080);
    expect(endpoints.map(({ address, health }) => [address, health])).toEqual([
      ['10.1.0.1', 'healthy'],
      ['10.1.0.2', 'draining'],
      ['10.1.0.4', 'healthy'],
    ]);
    expect(endpoints[0]?.labels.get('version')).toBe('v1');
    expect(registry.endpoints(KEY, 9090)).toEqual([]);
  });

  it('adds WorkloadEntries that the selector matches, the port by its name first (Istio WorkloadEntry.ports)', () => {
    const entry = `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm1}
spec: {address: 10.2.0.1, labels: {app: reviews, version: v2}, ports: {http: 7000}, locality: eu/b, weight: 3}
`;
    const { registry } = registryOf([REVIEWS, entry].join('---'));
    expect(registry.endpoints(KEY, 9080)).toMatchObject([
      { address: '10.2.0.1', port: 7000, weight: 3, workload: 'vm1', locality: { region: 'eu', zone: 'b' } },
    ]);
    expect(registry.endpoints(KEY, 9090)).toMatchObject([{ port: 9090 }]);
  });

  it('keeps the identity of all that an event does not change', () => {
    const { registry } = registryOf([REVIEWS, pod('a', '10.1.0.1')].join('---'));
    const before = registry.endpoints(KEY, 9080);
    const service = registry.service(KEY);
    const list = registry.services('reviews.default.svc.cluster.local');
    const comment = registry.apply(events(`# moved\n\n${REVIEWS}`));
    expect(comment).toMatchObject({ services: new Set(), endpoints: new Set(), hostnameSet: false });
    expect(registry.origin('Service/default/reviews')?.line('spec')).toBe(7);
    const other = registry.apply(events(pod('b', '10.1.0.2')));
    expect([...other.endpoints].sort()).toEqual([`${KEY}|9080`, `${KEY}|9090`]);
    expect(other.services.size).toBe(0);
    expect(registry.service(KEY)).toBe(service);
    expect(registry.services('reviews.default.svc.cluster.local')).toBe(list);
    registry.apply([{ kind: 'delete', key: 'Pod/default/b' }]);
    expect(registry.endpoints(KEY, 9080)).toEqual(before);
  });

  it('makes an ExternalName Service a name to look up', () => {
    const { registry } = registryOf(`
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {type: ExternalName, externalName: DB.example.com, ports: [{port: 80, name: http}]}
`);
    const key = 'default/db.default.svc.cluster.local';
    expect(registry.service(key)).toMatchObject({
      ...{ resolution: 'dns', meshExternal: true, externalName: 'db.example.com' },
    });
    expect(registry.endpoints(key, 80)).toMatchObject([{ address: 'db.example.com', port: 80 }]);
  });
});

describe('registry: ServiceEntry', () => {
  it.each([
    ['DNS', 'dns', [{ address: 'api.example.com', port: 8443 }]],
    ['NONE', 'none', []],
  ])('without endpoints: resolution %s', (resolution, expected, endpoints) => {
    const target = resolution === 'NONE' ? '' : ', targetPort: 8443';
    const { registry } = registryOf(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: outside}
spec:
  hosts: [API.example.com]
  ports: [{number: 443, name: https, protocol: HTTPS${target}}]
  resolution: ${resolution}
`);
    const key = 'outside/api.example.com';
    expect(registry.service(key)).toMatchObject({ kind: 'service-entry', resolution: expected, meshExternal: true });
    expect(registry.endpoints(key, 443)).toMatchObject(endpoints);
  });

  it('lists written endpoints with their own ports, unix sockets without one', () => {
    const { registry } = registryOf(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm}
spec:
  hosts: [vm.internal, "*.vm.internal"]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 10.0.0.2, ports: {http: 8080}, labels: {version: v1}, weight: 5}
  - {address: unix:///var/run/vm.sock}
`);
    expect(registry.endpoints('default/vm.internal', 80)).toMatchObject([
      { address: '10.0.0.2', port: 8080, weight: 5 },
      { address: 'unix:/var/run/vm.sock', port: 0 },
    ]);
    expect(registry.wildcards()).toEqual(['*.vm.internal']);
  });

  it('gives a Kubernetes Service precedence for one host and adds the endpoints of both', () => {
    const { registry } = registryOf(
      [
        REVIEWS,
        pod('a', '10.1.0.1'),
        `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: more}
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 9080, name: http, protocol: HTTP}]
  endpoints: [{address: 10.9.0.1}]
`,
      ].join('---'),
    );
    expect(registry.services('reviews.default.svc.cluster.local')).toHaveLength(1);
    expect(registry.service(KEY)?.kind).toBe('kubernetes');
    expect(registry.endpoints(KEY, 9080).map(({ address }) => address)).toEqual(['10.1.0.1', '10.9.0.1']);
  });
});

describe('registry: self-registration', () => {
  describe('of one address and port by two', () => {
    const TLS = new Map([['security.istio.io/tlsMode', 'istio']]);
    const modes = (...more: readonly Partial<Registration>[]) => {
      const both = more.map((one, at) => process(String(at), { address: '10.1.1.1', ...one }));
      const found = [both, both.toReversed()].map((events) => {
        const { registry } = registryOf(REVIEWS);
        registry.apply(events);
        return registry
          .endpoints(KEY, 9080)
          .map(({ labels, serviceAccount }) => `${serviceAccount} ${labels.get('security.istio.io/tlsMode')}`);
      });
      expect(found[0]).toEqual(found[1]);
      return found[0];
    };
    it.each([
      [
        'the one that takes TLS counts, of the same account',
        [{ serviceAccount: 'a' }, { serviceAccount: 'a', labels: TLS }],
        'a istio',
      ],
      ['and in the other order', [{ serviceAccount: 'a', labels: TLS }, { serviceAccount: 'a' }], 'a istio'],
      ['and beside one that proved nothing', [{}, { serviceAccount: 'a', labels: TLS }], 'a istio'],
      [
        'another account decides nothing',
        [{ serviceAccount: 'a' }, { serviceAccount: 'b', labels: TLS }],
        'a undefined',
      ],
      ['plain stays plain', [{ serviceAccount: 'a' }, { serviceAccount: 'a' }], 'a undefined'],
    ] as const)('%s', (_what, both, expected) => {
      expect(modes(...both)).toEqual([expected]);
    });

    it('a Pod keeps what it is, and takes TLS where its own process says so', () => {
      const { registry } = registryOf(`${REVIEWS}---${pod('a', '10.1.1.1')}`);
      const own = { address: '10.1.1.1', port: 8080, labels: new Map([...TLS, ['version', 'v9']]) };
      registry.apply([process('1', { ...own, serviceAccount: 'other' })]);
      expect(registry.endpoints(KEY, 9080)[0]?.labels.get('security.istio.io/tlsMode')).toBeUndefined();
      registry.apply([process('2', { ...own, serviceAccount: 'bookinfo-reviews' })]);
      const [endpoint, ...more] = registry.endpoints(KEY, 9080);
      expect(more).toEqual([]);
      expect(endpoint).toMatchObject({ workload: 'a', serviceAccount: 'bookinfo-reviews' });
      expect(Object.fromEntries(endpoint?.labels ?? [])).toMatchObject({
        version: 'v1',
        'security.istio.io/tlsMode': 'istio',
      });
    });
  });

  it('makes a process an endpoint of the Service it names, with its selector as labels', () => {
    const { registry } = registryOf(REVIEWS.replace('  - {name: grpc-api, port: 9090}\n', ''));
    const changes = registry.apply([process('1', { version: 'v1' }), process('2', { version: 'v2', port: 9082 })]);
    expect([...changes.workloads]).toEqual(['default/reviews-v1', 'default/reviews-v2']);
    const endpoints = registry.endpoints(KEY, 9080);
    expect(endpoints.map(({ port, labels }) => [port, Object.fromEntries(labels)])).toEqual([
      [9081, { app: 'reviews', version: 'v1' }],
      [9082, { app: 'reviews', version: 'v2' }],
    ]);
    registry.apply([{ kind: 'delete', key: registrationKey('1', 'default') }]);
    expect(registry.endpoints(KEY, 9080)).toMatchObject([{ port: 9082 }]);
    expect(registry.workload('default', 'reviews-v1')).toBeUndefined();
  });

  it('is selected by the other Services of its labels too: one a version', () => {
    const versioned = (version: string) =>
      REVIEWS.replace('name: reviews,', `name: reviews-${version},`)
        .replace('10.0.0.7', 'None')
        .replace('{app: reviews}', `{app: reviews, version: ${version}}`);
    const { registry } = registryOf([REVIEWS, versioned('v1'), versioned('v2')].join('---'));
    registry.apply([process('1', { version: 'v1', port: 9080 })]);
    expect(registry.endpoints('default/reviews-v1.default.svc.cluster.local', 9080)).toMatchObject([{ port: 9080 }]);
    expect(registry.endpoints('default/reviews-v2.default.svc.cluster.local', 9080)).toEqual([]);
    registry.apply(events(REVIEWS.replace('{app: reviews}', '{app: other}')));
    expect(registry.endpoints('default/reviews-v1.default.svc.cluster.local', 9080)).toEqual([]);
  });

  it('goes to the port it listens on when the Service has several', () => {
    const { registry } = registryOf(REVIEWS);
    registry.apply([process('1', { port: 9090 })]);
    expect(registry.endpoints(KEY, 9080)).toEqual([]);
    expect(registry.endpoints(KEY, 9090)).toMatchObject([{ port: 9090 }]);
  });

  it('makes up an http service for a name that no configuration has, until one has it', () => {
    const registry = createRegistry();
    registry.apply([process('1'), process('2', { port: 9082 })]);
    expect(registry.service(KEY)).toMatchObject({
      kind: 'implicit',
      ports: [{ number: 80 }, { number: 9081 }, { number: 9082 }],
    });
    expect(registry.endpoints(KEY, 80).map(({ port }) => port)).toEqual([9081, 9082]);
    expect(registry.problems()).toMatchObject([{ severity: 'info', object: 'Service default/reviews' }]);
    registry.apply(events(REVIEWS));
    expect(registry.service(KEY)?.kind).toBe('kubernetes');
    expect(registry.problems()).toEqual([]);
    registry.apply([{ kind: 'delete', key: 'Service/default/reviews' }]);
    expect(registry.service(KEY)?.kind).toBe('implicit');
    registry.apply(['1', '2'].map((uid) => ({ kind: 'delete', key: registrationKey(uid, 'default') })));
    expect(registry.hostnames()).toEqual([]);
  });

  it('bounds the ports that registered processes can make up', () => {
    const registry = createRegistry();
    registry.apply(Array.from({ length: 100 }, (_, i) => process(String(i), { port: 9_000 + i })));
    expect(registry.service(KEY)?.ports).toHaveLength(33);
    expect(registry.endpoints(KEY, 80)).toHaveLength(100);
  });
});

describe('a Node', () => {
  const POD = `
apiVersion: v1
kind: Pod
metadata: { name: r1, labels: { app: reviews } }
spec: { nodeName: n1, containers: [{ name: c, ports: [{ name: web, containerPort: 8080 }] }] }
status: { podIP: 10.0.0.1 }
`;
  const node = (zone: string): string => `
apiVersion: v1
kind: Node
metadata: { name: n1, labels: { topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: ${zone} } }
`;
  const zone = (registry: ReturnType<typeof createRegistry>) => registry.endpoints(KEY, 9080)[0]?.locality.zone;

  it('gives its Pods their place, whichever comes first, and takes it away', () => {
    for (const parts of [
      [node('a'), POD],
      [POD, node('a')],
    ]) {
      const { registry } = registryOf([REVIEWS, ...parts].join('---'));
      expect(zone(registry)).toBe('a');
      const changes = registry.apply(events(node('b')));
      expect(zone(registry)).toBe('b');
      expect([...changes.workloads]).toEqual(['default/r1']);
      registry.apply([{ kind: 'delete', key: 'Node//n1' }]);
      expect(zone(registry)).toBe('');
    }
  });

  it('what the Pod says itself wins', () => {
    const own = POD.replace('app: reviews }', 'app: reviews, istio-locality: us.x }');
    const { registry } = registryOf([REVIEWS, node('a'), own].join('---'));
    expect(zone(registry)).toBe('x');
  });

  it('places the addresses of a slice that no Pod is known for', () => {
    const slice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: s, labels: { kubernetes.io/service-name: reviews } }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints: [{ addresses: [10.0.0.9], nodeName: n1 }]
`;
    const { registry } = registryOf([REVIEWS, slice, node('a')].join('---'));
    expect(zone(registry)).toBe('a');
  });
});

describe('two definitions of one service', () => {
  it('a Service comes before a ServiceEntry, which only adds its endpoints and is told so', () => {
    const entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: more }
spec:
  hosts: [reviews.default.svc.cluster.local]
  resolution: STATIC
  ports: [{ number: 9080, name: http }]
  endpoints: [{ address: 10.1.1.1 }]
`;
    const { registry } = registryOf([REVIEWS, entry].join('---'));
    expect(registry.service(KEY)?.kind).toBe('kubernetes');
    expect(registry.endpoints(KEY, 9080)).toMatchObject([{ address: '10.1.1.1' }]);
    expect(registry.problems()).toMatchObject([
      { severity: 'warning', object: 'ServiceEntry default/more', fieldPath: 'spec.hosts' },
    ]);
    registry.apply([{ kind: 'delete', key: 'Service/default/reviews' }]);
    expect(registry.problems()).toEqual([]);
    expect(registry.service(KEY)?.kind).toBe('service-entry');
  });
});

describe('registry: Pods', () => {
  const placed = (name: string, node: string, phase = 'Pending') => `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, uid: u-${name}, labels: {app: x}}
spec: {serviceAccountName: web, nodeName: ${node}, containers: [{name: app, image: x}]}
status: {phase: ${phase}}
`;
  it('are known by name and by node before they have an address, until they have ended', () => {
    const { registry } = registryOf(placed('a', 'n1') + placed('b', 'n1', 'Failed') + placed('c', 'n2'));
    let told = 0;
    registry.onPodsChange(() => told++);
    expect(registry.podsOn('n1')).toMatchObject([{ name: 'a', uid: 'u-a', serviceAccount: 'web', node: 'n1' }]);
    expect(registry.pod('default', 'b')).toBeUndefined();
    registry.apply(events(placed('a', 'n2')));
    expect([registry.podsOn('n1'), registry.podsOn('n2').map(({ name }) => name)]).toEqual([[], ['a', 'c']]);
    registry.apply(events(placed('a', 'n2')));
    registry.apply([{ kind: 'delete', key: 'Pod/default/a' }]);
    expect([registry.pod('default', 'a'), told]).toEqual([undefined, 2]);
  });
});
