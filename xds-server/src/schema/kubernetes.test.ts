import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';

const parse = (text: string) => {
  const { objects, problems } = parseText(text, 'k8s.yaml');
  return {
    object: objects[0],
    problems: problems.map((problem) => formatProblem(problem).replace(/^[^ ]+ \w+ \S+ /, '')),
  };
};

const object = (kind: string, body: string, apiVersion = 'v1'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n${body}`;

describe('Service', () => {
  const service = (spec: string) => parse(object('Service', `spec: {${spec}}`));

  it('reads what a mesh needs and passes over the rest', () => {
    const { object, problems } = service(`
      type: LoadBalancer, clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, "fd00::1"], sessionAffinity: None, ipFamilies: [IPv4],
      selector: {app: x}, ports: [{port: 80, targetPort: web, name: http, nodePort: 30080, appProtocol: kubernetes.io/h2c}]`);
    expect(problems).toEqual([]);
    expect(object?.spec).toMatchObject({
      type: 'LoadBalancer',
      clusterIPs: ['10.0.0.1', 'fd00::1'],
      selector: new Map([['app', 'x']]),
      ports: [{ port: 80, targetPort: 'web', name: 'http', protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' }],
      publishNotReadyAddresses: false,
    });
  });

  it.each([
    ['selctor: {a: b}, ports: [{port: 80}]', 'spec.selctor: unknown field, did you mean selector?'],
    ['ports: [{port: 0}]', 'spec.ports[0].port: got 0 (number), want an integer 1–65535'],
    ['ports: [{port: "80"}]', 'spec.ports[0].port: got "80" (string), want an integer 1–65535'],
    ['ports: [{port: 80, targetPort: "80"}]', 'spec.ports[0].targetPort: got "80" (string), want a port number'],
    ['ports: [{port: 80}, {port: 81}]', 'spec.ports[0]: name is missing, several ports want a name each'],
    ['ports: [{port: 80, name: a}, {port: 80, name: b}]', 'spec.ports[1].port: 80/TCP is listed twice'],
    ['selector: {a: b}', 'spec: ports is missing'],
    ['type: ExternalName', 'spec: externalName is missing'],
    [
      'clusterIP: nowhere, ports: [{port: 80}]',
      'spec.clusterIP: got "nowhere" (string), want an IP address, "None" or ""',
    ],
    ['type: Cluster, ports: [{port: 80}]', 'spec.type: got "Cluster" (string), want one of ClusterIP'],
  ])('refuses {%s}', (spec, message) => {
    expect(service(spec).problems[0]).toContain(message);
  });

  it.each([
    ['PreferClose', []],
    ['PreferSameZone', []],
    ['PreferSameNode', ['spec.trafficDistribution: nodes are not told apart: taken as PreferSameZone']],
    ['Near', ['spec.trafficDistribution: no effect: got "Near", want PreferSameZone, PreferSameNode or PreferClose']],
  ])('says what becomes of trafficDistribution %s', (wanted, said) => {
    expect(service(`ports: [{port: 80}], trafficDistribution: ${wanted}`).problems).toEqual(said);
  });

  it.each([
    ['sessionAffinity: None, internalTrafficPolicy: Cluster', []],
    [
      'sessionAffinity: ClientIP',
      ['spec.sessionAffinity: ignored: no session is bound to an endpoint: write consistentHash in a DestinationRule'],
    ],
    [
      'internalTrafficPolicy: Local',
      ['spec.internalTrafficPolicy: ignored: clients do not say which node they are on'],
    ],
  ])('says that {%s} has no effect, unless it is what happens anyway', (wanted, said) => {
    expect(service(`ports: [{port: 80}], ${wanted}`).problems).toEqual(said);
  });

  it('wants a name that begins with a letter', () => {
    const { problems } = parse('apiVersion: v1\nkind: Service\nmetadata: {name: 1x}\nspec: {ports: [{port: 1}]}');
    expect(problems[0]).toContain('metadata.name: got "1x" (string), want a DNS label');
  });
});

describe('other Kubernetes kinds', () => {
  it('reads an EndpointSlice: absent conditions are ready and serving', () => {
    const { object: slice, problems } = parse(
      object(
        'EndpointSlice',
        'addressType: IPv4\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: []}, conditions: {ready: null}}]',
        'discovery.k8s.io/v1',
      ),
    );
    expect(problems).toEqual([]);
    expect(slice?.spec).toMatchObject({
      endpoints: [{ conditions: { ready: true, serving: true, terminating: false } }],
    });
  });

  it('reads Endpoints, ServiceAccount, Namespace', () => {
    const { objects, problems } = parseText(
      [
        object('Endpoints', 'subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]'),
        object('ServiceAccount', 'automountServiceAccountToken: false'),
        object('Namespace', ''),
      ].join('\n---\n'),
      'k8s.yaml',
    );
    expect(problems).toEqual([]);
    expect(objects.map(({ key }) => key)).toEqual(['Endpoints/default/x', 'ServiceAccount/default/x', 'Namespace//x']);
  });

  it('reads a Pod as a cluster gives it, fields it does not know included', () => {
    const { object: pod, problems } = parse(
      object(
        'Pod',
        `spec: {containers: [{name: app, image: x, someNewField: 1, ports: [{containerPort: 80, name: web}]}], volumes: [], brandNew: 1}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], qosClass: BestEffort, conditions: [{type: Ready, status: "True", lastProbeTime: null}]}`,
      ),
    );
    expect(problems).toEqual([]);
    expect(pod).toMatchObject({
      spec: { containers: [{ ports: [{ name: 'web', containerPort: 80, protocol: 'TCP' }] }] },
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    });
  });
});

describe('ServiceEntry, WorkloadEntry, WorkloadGroup', () => {
  const istio = 'networking.istio.io/v1';
  const entry = (spec: string) => parse(object('ServiceEntry', `spec: {${spec}}`, istio));

  it('reads a ServiceEntry with its defaults', () => {
    const { object, problems } = entry('hosts: [a.example.com], ports: [{number: 80, name: http, protocol: http}]');
    expect(problems).toEqual([]);
    expect(object?.spec).toMatchObject({
      location: 'MESH_EXTERNAL',
      resolution: 'NONE',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [],
    });
  });

  it.each([
    ['', 'spec: hosts is missing'],
    ['hosts: []', 'spec.hosts: want at least one host name'],
    ['hosts: ["*"]', 'spec.hosts[0]: "*" is not allowed'],
    ['hosts: ["*.a.b"], resolution: DNS', 'spec.hosts[0]: a wildcard has no address to look up'],
    [
      'hosts: [a.b], workloadSelector: {}, endpoints: [{address: 1.2.3.4}], resolution: STATIC',
      'spec.endpoints: workloadSelector is set too',
    ],
    [
      'hosts: [a.b], addresses: [1.2.3.4/16], resolution: DNS',
      'spec.addresses[0]: a CIDR prefix wants resolution NONE or STATIC',
    ],
    [
      'hosts: [a.b], addresses: [1.2.3.4/99]',
      'spec.addresses[0]: got "1.2.3.4/99" (string), want an IP address or a CIDR prefix',
    ],
    ['hosts: [a.b], ports: [{name: a, number: 1}, {name: a, number: 2}]', 'spec.ports[1].name: a is listed twice'],
    ['hosts: [a.b], ports: [{name: a, number: 1}, {name: b, number: 1}]', 'spec.ports[1].number: 1 is listed twice'],
    [
      'hosts: [a.b], ports: [{name: a, number: 1, protocol: HTPP}]',
      'spec.ports[0].protocol: got "HTPP", want one of HTTP',
    ],
    ['hosts: [a.b], endpoints: [{address: 1.2.3.4}]', 'spec.endpoints: not allowed with resolution NONE'],
    [
      'hosts: [a.b], resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.c}, {address: a.d}]',
      'wants at most one endpoint',
    ],
    [
      'hosts: [a.b], resolution: STATIC, endpoints: [{address: a.c}]',
      'spec.endpoints[0].address: got "a.c", resolution STATIC wants an IP address',
    ],
    ['hosts: [a.b], resolution: STATIC, endpoints: [{}]', 'spec.endpoints[0]: address is missing'],
    [
      'hosts: [a.b], resolution: STATIC, endpoints: [{address: "unix://@x", ports: {a: 1}}], ports: [{name: a, number: 1}]',
      'a unix socket has no ports',
    ],
    [
      'hosts: [a.b], resolution: STATIC, endpoints: [{address: 1.2.3.4, ports: {b: 1}}], ports: [{name: a, number: 1}]',
      'spec.endpoints[0].ports.b: not a port of this ServiceEntry',
    ],
    [
      'hosts: [a.b], workloadSelector: {labels: {app: "*"}}',
      'spec.workloadSelector.labels.app: got "*" (string), want a label value',
    ],
  ])('refuses a ServiceEntry {%s}', (spec, message) => {
    const { problems } = entry(spec);
    expect(problems.join('\n')).toContain(message);
    expect(problems).toHaveLength(1);
  });

  it.each([
    ['address: unix:///dir/', 'spec.address: want an absolute path'],
    ['address: unix://relative', 'spec.address: want an absolute path'],
    ['address: "a b"', 'spec.address: got "a b", want an IP address'],
    ['address: 1.1.1.1, ports: {"@": 80}', 'spec.ports["@"]: not a port name'],
    ['address: 1.1.1.1, ports: {http: 99999}', 'spec.ports.http: got 99999 (number)'],
    ['labels: {a: b}', 'spec: address is missing'],
  ])('refuses a WorkloadEntry {%s}', (spec, message) => {
    expect(parse(object('WorkloadEntry', `spec: {${spec}}`, istio)).problems[0]).toContain(message);
  });

  it('says what DYNAMIC_DNS is here', () => {
    const dynamic = 'hosts: ["*.b.c"], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DYNAMIC_DNS';
    const said = 'spec.resolution: the host is looked up by whoever dials it, as with NONE';
    expect(entry(dynamic).problems).toEqual([said]);
    expect(entry(`${dynamic}, endpoints: [{address: 10.0.0.1}]`).problems).toEqual([
      'spec.endpoints: no effect with resolution DYNAMIC_DNS, want STATIC or DNS',
      said,
    ]);
  });

  it('reads a WorkloadGroup, whose template has no address, and says that nobody is made from it', () => {
    const { object: group, problems } = parse(
      object(
        'WorkloadGroup',
        'spec: {metadata: {labels: {app: x}}, template: {serviceAccount: sa, ports: {http: 80}}}',
        istio,
      ),
    );
    expect(problems).toEqual(
      ['metadata', 'template'].map(
        (field) => `spec.${field}: ignored: a process that registers itself says itself what it is`,
      ),
    );
    expect(group?.spec).toMatchObject({ template: { serviceAccount: 'sa', address: '' } });
  });
});
