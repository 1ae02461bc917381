import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';

const keys = (text: string, file = 'mesh.yaml'): string[] => parseText(text, file).objects.map(({ key }) => key);

const problems = (text: string, file = 'mesh.yaml'): string[] =>
  parseText(text, file).problems.map((problem) => `${problem.severity} ${formatProblem(problem)}`);

const service = (name: string, more = '') =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}${more}}\nspec: {ports: [{port: 80}]}\n`;

describe('parseText', () => {
  it('reads many documents, empty ones and comments between them, and Lists', () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: n}}\n- ${service('c').replaceAll('\n', '\n  ')}`;
    expect(keys(`# head\n---\n${service('a')}\n---\n# nothing\n---\n${service('b')}...\n---\n${list}`)).toEqual([
      'Service/default/a',
      'Service/default/b',
      'Namespace//n',
      'Service/default/c',
    ]);
  });

  it('knows the line of every field, in later documents and in Lists', () => {
    const list =
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: x\n  spec:\n    ports:\n    - name: http\n      port: 80\n';
    const [a, x] = parseText(`${service('a')}---\n${list}`, 'mesh.yaml').objects;
    expect(a?.origin.line('spec.ports[0]')).toBe(4);
    expect(x?.origin.line('spec.ports[0].port')).toBe(16);
    expect(x?.origin.line('spec.ports[0].nothing.here')).toBe(15);
    expect(x?.origin.line('')).toBe(9);
  });

  it('keeps other documents whole when one has a syntax error, and says which object it was', () => {
    const text = `${service('a')}---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [}\n---\n${service('c')}`;
    const { objects, broken, unreadable } = parseText(text, 'mesh.yaml');
    expect(objects.map(({ name }) => name)).toEqual(['a', 'c']);
    expect(broken).toEqual(['Service/default/b']);
    expect(unreadable).toBe(false);
    expect(problems(text)[0]).toMatch(/^error mesh.yaml:9: Service default\/b: YAML: /);
  });

  it('refuses a key written twice (strict YAML, as kubectl)', () => {
    expect(problems(`${service('a')}spec: {}\n`)).toEqual([
      'error mesh.yaml:5: Service default/a: YAML: the key spec is written twice in one mapping',
    ]);
  });

  it('reads objects that lack the line between them, with a warning', () => {
    expect(keys(service('a') + service('b'))).toEqual(['Service/default/a', 'Service/default/b']);
    expect(problems(service('a') + service('b'))).toEqual([
      'warning mesh.yaml:5: another object begins here, want a line "---" before it',
    ]);
  });

  it('reads JSON, and passes over JSON that is no Kubernetes object', () => {
    const json = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }, null, 2);
    expect(keys(json, 'n.json')).toEqual(['Namespace//n']);
    expect(problems('{"name": "package", "version": "1.0.0"}', 'package.json')).toEqual([]);
    expect(problems('name: package')).toEqual(
      [
        'error mesh.yaml:1: apiVersion: apiVersion is missing, want a Kubernetes object with apiVersion, kind and metadata',
        'error mesh.yaml:1: kind: kind is missing, want a Kubernetes object with apiVersion, kind and metadata',
      ].map((line) => line.replace(/: (apiVersion|kind): /, ': ')),
    );
  });

  it('takes metadata as Kubernetes does', () => {
    const [object] = parseText(
      service(
        'a',
        ', namespace: shop, labels: {app: a}, annotations: {kubectl.kubernetes.io/last-applied-configuration: x, k: v}, creationTimestamp: 2026-01-31T00:00:00Z, uid: u, ownerReferences: []',
      ),
      'mesh.yaml',
    ).objects;
    expect(object).toMatchObject({ namespace: 'shop', key: 'Service/shop/a', creationTime: Date.UTC(2026, 0, 31) });
    expect(object?.annotations).toEqual(new Map([['k', 'v']]));
    expect(problems(service('a', ', lables: {a: b}'))).toEqual([
      'error mesh.yaml:3: Service default/a: metadata.lables: unknown field, did you mean labels?',
    ]);
    expect(problems(service('a', ', labels: {a: true}'))[0]).toContain('metadata.labels.a: got true (boolean)');
    expect(problems('apiVersion: v1\nkind: Namespace\nmetadata: {}')[0]).toContain('metadata: name is missing');
  });

  it('gives equal contents equal hashes, whatever the spelling', () => {
    const [flow] = parseText(service('a', ', labels: {x: "1", y: "2"}'), 'a.yaml').objects;
    const block =
      'kind: Service\napiVersion: v1\nspec:\n  ports:\n  # why\n  - port: 80\nmetadata:\n  labels:\n    y: "2"\n    x: "1"\n  name: a\n';
    const [other] = parseText(block, 'b.yaml').objects;
    const [changed] = parseText(block.replace('80', '81'), 'b.yaml').objects;
    expect(other?.contentHash).toBe(flow?.contentHash);
    expect(changed?.contentHash).not.toBe(flow?.contentHash);
  });
});

describe('kinds', () => {
  const only = (apiVersion: string, kind: string) =>
    problems(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}`);

  it.each([
    ['apps/v1', 'Deployment', 'info mesh.yaml:1: Deployment default/x: not used here'],
    ['v1', 'ConfigMap', 'info mesh.yaml:1: ConfigMap default/x: not used by the mesh'],
    ['v1', 'Secret', 'info mesh.yaml:1: Secret default/x: not used by the mesh'],
    [
      'security.istio.io/v1',
      'AuthorizationPolicy',
      'warning mesh.yaml:1: AuthorizationPolicy default/x: not yet enforced',
    ],
    ['networking.istio.io/v1', 'Gateway', 'warning mesh.yaml:1: Gateway default/x: not yet enforced'],
    ['gateway.networking.k8s.io/v1', 'HTTPRoute', 'warning mesh.yaml:1: HTTPRoute default/x: not yet enforced'],
    [
      'example.com/v1',
      'Widget',
      'warning mesh.yaml:1: Widget default/x: kind of example.com/v1 is not known here and not used',
    ],
    [
      'networking.istio.io/v1',
      'VirtualServise',
      'error mesh.yaml:2: VirtualServise default/x: kind: unknown kind of networking.istio.io/v1, did you mean VirtualService?',
    ],
    [
      'networking.istio.io/v2',
      'VirtualService',
      'error mesh.yaml:1: VirtualService default/x: apiVersion: got "networking.istio.io/v2", VirtualService wants networking.istio.io/v1 or',
    ],
    [
      'v1',
      'VirtualService',
      'error mesh.yaml:1: VirtualService default/x: apiVersion: got "v1", VirtualService wants networking.istio.io/v1',
    ],
    ['discovery.k8s.io/v1beta1', 'EndpointSlice', 'error mesh.yaml:1: EndpointSlice default/x: apiVersion: got'],
  ])('%s %s', (apiVersion, kind, message) => {
    expect(only(apiVersion, kind)[0]).toContain(message);
  });
});

describe('hostile text', () => {
  it('never touches a prototype', () => {
    const text = service('a', ', labels: {__proto__: polluted, constructor: x}').replace(
      'spec:',
      '__proto__: {polluted: yes}\nspec:',
    );
    expect(problems(text).join()).toContain('__proto__: unknown field');
    const [object] = parseText(service('a', ', annotations: {constructor: y}'), 'a.yaml').objects;
    expect(object?.annotations.get('constructor')).toBe('y');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it.each([
    ['deep nesting', `a: ${'['.repeat(100_000)}`],
    ['deep nesting that ends', `a: ${'['.repeat(200)}${']'.repeat(200)}`],
    [
      'an anchor bomb',
      `${['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`)}]`)].join('\n')}`,
    ],
    ['a circle', 'a: &a [*a]'],
    ['a key that is no string', '? [a, b]\n: c'],
    ['a foreign tag', 'a: !!js/function x'],
    ['a set', 'a: !!set {x, y}'],
  ])('reports %s', (_name, text) => {
    const { objects, problems } = parseText(text, 'mesh.yaml');
    expect(objects).toEqual([]);
    expect(problems.length).toBeGreaterThan(0);
  });

  it('stops at a hundred findings of one document', () => {
    const ports = Array.from({ length: 1_000 }, () => '{port: x}').join();
    expect(problems(service('a').replace('{port: 80}', ports))).toHaveLength(100);
  });
});

describe('mutated YAML', () => {
  const seed = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - match:
    - headers: {end-user: {exact: jason}}
      uri: {regex: "/v[0-9]+"}
    route:
    - destination: {host: reviews, subset: v2}
      weight: 50
    - destination: {host: reviews, subset: v1}
      weight: 50
    timeout: 2s
---
${service('reviews')}`;
  const piece = fc.constantFrom(
    '',
    ' ',
    '\n',
    ':',
    '- ',
    '{',
    '}',
    '[',
    '"',
    "'",
    '&a',
    '*a',
    '!!x',
    '|',
    '>',
    '\t',
    '0',
    'null',
    '---\n',
    '...\n',
    '<<: ',
    '__proto__',
    '%',
    '#',
    '\u0000',
    '\uFEFF',
    'é',
    '?',
    '@',
  );

  it('is parsed or refused with a line inside the file, never thrown at', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(seed.length), fc.nat(12), piece), { maxLength: 4 }), (edits) => {
        let text = seed;
        for (const [at, cut, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + cut);
        const { objects, problems } = parseText(text, 'mesh.yaml');
        const lines = text.split('\n').length + 1;
        for (const { line, message } of problems) {
          expect(message).not.toBe('');
          expect(line >= 1 && line <= lines).toBe(true);
        }
        for (const object of objects) expect(object.origin.line('spec')).toBeLessThanOrEqual(lines);
      }),
      { numRuns: 400 },
    );
  });

  it('any JSON value as a spec is read or refused', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (spec) => {
        const { objects, problems } = parseText(
          `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"x"},"spec":${spec}}`,
          'x.json',
        );
        expect(objects.length + problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });
});
