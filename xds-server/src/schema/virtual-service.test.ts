import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';
import type { VirtualServiceSpec } from './spec/virtual-service.ts';

const document = (spec: string, apiVersion = 'networking.istio.io/v1'): string =>
  `apiVersion: ${apiVersion}\nkind: VirtualService\nmetadata: {name: reviews}\nspec:\n${spec.replace(/^/gm, '  ')}\n`;

const parse = (spec: string): { spec: VirtualServiceSpec | undefined; problems: string[] } => {
  const { objects, problems } = parseText(document(spec), 'vs.yaml');
  const [object] = objects;
  return { spec: object?.kind === 'VirtualService' ? object.spec : undefined, problems: problems.map(formatProblem) };
};

/** The messages about one http route, without the part that is always the same. */
const routeProblems = (route: string): string[] =>
  parse(`hosts: [reviews]\nhttp:\n- ${route.replaceAll('\n', '\n  ')}`).problems.map((line) =>
    line.replace(/^vs\.yaml:\d+: VirtualService default\/reviews: spec\.http\[0\]\.?/, ''),
  );

const TO = 'route: [{destination: {host: reviews}}]';

describe('VirtualService', () => {
  it('reads every field of an HTTP route', () => {
    const { spec, problems } = parse(`
hosts: [reviews, "*.example.com", 10.0.0.1]
gateways: [mesh, infra/edge]
exportTo: ["."]
http:
- name: all
  match:
  - uri: {prefix: /api}
    method: {exact: GET}
    authority: {regex: "rev.*"}
    headers: {end-user: {exact: jason}, x-any: {}, x-star: {regex: "*"}}
    withoutHeaders: {x-not: {prefix: a}}
    queryParams: {q: {regex: "v[12]"}}
    port: 9080
    sourceLabels: {app: productpage}
    sourceNamespace: default
    gateways: [mesh]
    ignoreUriCase: true
  route:
  - destination: {host: reviews, subset: v1, port: {number: 9080}}
    weight: 90
    headers: {request: {set: {x-a: "1"}, remove: [x-b]}, response: {add: {x-c: "%REQ(x-d)%"}}}
  - destination: {host: reviews, subset: v2}
    weight: 10
  rewrite: {uri: /, authority: reviews.test}
  timeout: 1h30m0.5s
- redirect: {authority: other, redirectCode: 307, derivePort: FROM_REQUEST_PORT}
  match: [{uri: {exact: /old}}]
- directResponse: {status: 503, body: {bytes: aGk=}}
`);
    expect(problems).toEqual([]);
    const [first, second, third] = spec?.http ?? [];
    expect(first).toMatchObject({ name: 'all', timeout: 5_400_500, rewrite: { uri: '/', authority: 'reviews.test' } });
    expect(first?.match[0]).toMatchObject({ uri: { prefix: '/api' }, port: 9080, ignoreUriCase: true });
    expect(first?.match[0]?.headers).toEqual(
      new Map([
        ['end-user', { exact: 'jason' }],
        ['x-any', {}],
        ['x-star', { regex: '*' }],
      ]),
    );
    expect(first?.route[0]?.headers?.request).toEqual({
      set: new Map([['x-a', '1']]),
      add: new Map(),
      remove: ['x-b'],
    });
    expect(first?.mirrors).toEqual([]);
    expect(second?.redirect).toEqual({ authority: 'other', redirectCode: 307, derivePort: 'FROM_REQUEST_PORT' });
    expect(third?.directResponse?.body?.bytes).toEqual(Uint8Array.of(104, 105));
  });

  it.each(['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'])(
    'reads %s',
    (version) => {
      const { objects, problems } = parseText(document(`hosts: [a]\nhttp: [{${TO}}]`, version), 'vs.yaml');
      expect([objects.length, problems]).toEqual([1, []]);
    },
  );

  it('says where, what it got and what it wants, for every field that is wrong', () => {
    const { spec, problems } = parse(`
hosts: [reviews]
http:
- match: [{uri: {prefx: /}}]
  route:
  - destination: {host: reviews}
    weight: ten
  - destination: {hst: reviews}
  timeout: 5
`);
    expect(spec).toBeUndefined();
    const at = 'VirtualService default/reviews: spec.http[0]';
    expect(problems).toEqual([
      `vs.yaml:8: ${at}.match[0].uri.prefx: unknown field, did you mean prefix?`,
      `vs.yaml:11: ${at}.route[0].weight: got "ten" (string), want an integer 0–2147483647`,
      `vs.yaml:12: ${at}.route[1].destination: host is missing, want a host name or a wildcard like "*.example.com"`,
      `vs.yaml:12: ${at}.route[1].destination.hst: unknown field, did you mean host?`,
      `vs.yaml:13: ${at}.timeout: got 5 (number), want a duration of at least 1ms like "500ms", "10s" or "1h30m" (leave it out for none): write "5s" for seconds`,
    ]);
  });

  it.each([
    ['name: x', 'want one of route, redirect, directResponse, delegate'],
    [`${TO}\nredirect: {uri: /}`, 'redirect: route is set too'],
    [`redirect: {uri: /}\nrewrite: {uri: /}`, 'rewrite: not allowed beside redirect'],
    ['redirect: {}', 'redirect: want at least one of uri, authority'],
    ['redirect: {uri: /, redirectCode: 200}', 'redirect.redirectCode: got 200 (number), want one of 301'],
    ['directResponse: {status: 99}', 'directResponse.status: got 99 (number), want an integer 200–599'],
    ['directResponse: {}', 'directResponse: status is missing'],
    [`${TO}\nmatch: [{uri: {regex: "(["}}]`, 'match[0].uri.regex: got "([" (string), want a regular expression'],
    [`${TO}\nmatch: [{uri: {regex: "*"}}]`, 'match[0].uri.regex: got "*" (string), want a regular expression'],
    [`${TO}\nmatch: [{uri: {exact: a, prefix: b}}]`, 'match[0].uri.prefix: only one of exact, prefix, regex'],
    [`${TO}\nmatch: [{headers: {"a b": {exact: x}}}]`, 'match[0].headers["a b"]: not a header name'],
    [`${TO}\nmatch: [{headers: {a: null}}]`, 'match[0].headers.a: got null, want a mapping'],
    [`${TO}\nmatch: [{port: 70000}]`, 'match[0].port: got 70000 (number), want an integer 1–65535'],
    [`${TO}\nmatch: [{method: GET}]`, 'match[0].method: got "GET" (string), want a mapping'],
    [`${TO}\ntimeout: 0s`, 'timeout: got "0s" (string), want a duration of at least 1ms'],
    [
      `${TO}\ntimeout: 1.5ms`,
      'timeout: got "1.5ms" (string), want a duration of at least 1ms like "500ms", "10s" or "1h30m" (leave it out for none) in whole milliseconds',
    ],
    [`${TO}\nrewrite: {}`, 'rewrite: want at least one of uri'],
    [`${TO}\nheaders: {request: {set: {":path": x}}}`, 'headers.request.set[":path"]: not a header name'],
    [
      `${TO}\nheaders: {response: {set: {x: "50%"}}}`,
      'headers.response.set.x: got "50%" (string), want a header value',
    ],
    [
      `${TO}\nrewrite: {authority: a}\nheaders: {request: {set: {host: b}}}`,
      'headers.request.set.host: the authority is already set by rewrite.authority',
    ],
    ['route: [{destination: {host: a}, weight: -1}]', 'route[0].weight: got -1 (number)'],
    ['route: [{destination: {host: a}}, {destination: {host: b}}]', 'route: the weights add up to 0'],
    ['route: [{destination: {host: "a b"}}]', 'route[0].destination.host: got "a b" (string), want a host name'],
    [`${TO}\nretries: {attempts: 0, retryOn: 5xx}`, 'retries.attempts: 0 switches retries off'],
    [
      `${TO}\nretries: {retryOn: "5xx,gatewayerror"}`,
      'retries.retryOn: "gatewayerror" is not a retry condition, did you mean gateway-error?',
    ],
    [
      `${TO}\nfault: {delay: {percentage: {value: 101}, fixedDelay: 1s}}`,
      'fault.delay.percentage.value: got 101 (number), want a number 0–100',
    ],
    [`${TO}\nfault: {delay: {percentage: {value: 1}}}`, 'fault.delay: fixedDelay is missing'],
    [`${TO}\nfault: {abort: {httpStatus: 500, grpcStatus: UNAVAILABLE}}`, 'fault.abort: want exactly one of'],
    [`${TO}\nfault: {abort: {grpcStatus: NOPE}}`, 'fault.abort.grpcStatus: got "NOPE", want one of OK'],
    [`${TO}\nmirror: {host: a}\nmirrors: [{destination: {host: b}}]`, 'mirrors: mirror is set too'],
    [`delegate: {name: x}\n${TO}`, 'route: not allowed beside delegate'],
    ['delegate: {name: x}\nmatch: [{uri: {regex: "a"}}]', 'match[0].uri.regex: not allowed in a route with a delegate'],
  ])('refuses %j', (route, message) => {
    const problems = routeProblems(route);
    expect(problems.join('\n')).toContain(message);
    expect(problems).toHaveLength(1);
  });

  it.each([
    ['hosts: ["*"]', 'spec.hosts[0]: "*" is not allowed for the gateway mesh'],
    ['hosts: [a, A]', 'spec.hosts[1]: A is listed twice'],
    ['gateways: [a/b/c]\nhosts: [a.b]', 'spec.gateways[0]: got "a/b/c" (string), want mesh, a gateway name'],
    ['exportTo: [A_b]\nhosts: [a]', 'spec.exportTo[0]: got "A_b" (string), want ".", "*", "~" or a namespace'],
    ['gateways: [mesh]', 'spec.gateways: not allowed in a delegate'],
  ])('refuses %j', (spec, message) => {
    expect(parse(`${spec}\nhttp: [{${TO}}]`).problems).toEqual([expect.stringContaining(message)]);
  });

  it('wants at least one of http, tls, tcp', () => {
    expect(parse('hosts: [a]').problems).toEqual([expect.stringContaining('want at least one of http, tls, tcp')]);
  });

  it('knows tcp and tls routes, and mirror_percent as Istio does', () => {
    const { spec, problems } = parse(`
hosts: [a, a.b]
http: [{${TO}, mirror: {host: b}, mirror_percent: 5}]
tls: [{match: [{sniHosts: [a.b], port: 443}], ${TO}}]
tcp: [{match: [{port: 27017, sourceLabels: {a: b}}], ${TO}}]
`);
    expect(spec?.http[0]?.mirrorPercent).toBe(5);
    expect(spec?.tls[0]?.match[0]?.sniHosts).toEqual(['a.b']);
    expect(problems).toEqual([expect.stringContaining('mirrorPercent: deprecated, write mirrorPercentage.value')]);
  });

  it.each([
    ['a.b', 'A.b', []],
    ['"*.b"', 'a.b, "*.a.b", "*.b"', []],
    ['a.b', 'b.b', ["spec.tls[0].match[0].sniHosts[0]: b.b is not one of this rule's hosts, want a subset of a.b"]],
    ['"*.b"', 'b', ["spec.tls[0].match[0].sniHosts[0]: b is not one of this rule's hosts, want a subset of *.b"]],
    ['a.b', '"*.b"', ["spec.tls[0].match[0].sniHosts[0]: *.b is not one of this rule's hosts, want a subset of a.b"]],
    [
      'a.b',
      '10.0.0.1',
      ['spec.tls[0].match[0].sniHosts[0]: 10.0.0.1 is an IP address, which no client sends as its server name'],
    ],
    ['a.b', '', ['spec.tls[0].match[0].sniHosts: want at least one host']],
  ])(
    'server names of a tls route are subsets of the rule’s hosts (Istio validateSniHost): %s, %s',
    (hosts, names, said) => {
      const { problems } = parse(`hosts: [${hosts}]\ntls: [{match: [{sniHosts: [${names}]}], ${TO}}]`);
      expect(problems.map((line) => line.replace(/^.*?: VirtualService default\/reviews: /, ''))).toEqual(said);
    },
  );

  it.each([
    ['tls: [{match: [], route: [{destination: {host: b}}]}]', 'spec.tls[0].match: want at least one match'],
    ['tls: [{match: [{sniHosts: [a.b]}]}]', 'spec.tls[0].route: want at least one destination'],
    ['tcp: [{match: [{port: 1}]}]', 'spec.tcp[0].route: want at least one destination'],
    [
      'tcp: [{route: [{destination: {host: b}}, {destination: {host: c}}]}]',
      'spec.tcp[0].route: the weights add up to 0',
    ],
    [
      'tcp: [{match: [{sourceSubnet: 10.0.0.0/8}], route: [{destination: {host: b}}]}]',
      'spec.tcp[0].match[0].sourceSubnet: ignored: no data plane compares it',
    ],
  ])('tls and tcp routes are checked as Istio checks them: %s', (routes, said) => {
    expect(parse(`hosts: [a.b]\n${routes}`).problems).toEqual([expect.stringContaining(said)]);
  });
});
