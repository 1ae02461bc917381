import { type Feature, http, matching, to, virtualService } from './feature.ts';

const OTHER = '/echo.Echo/Other';

/** A match, calls it takes (v2) and calls it does not take (v1). */
const match = (
  name: string,
  rules: readonly string[],
  taken: readonly {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  }[],
  left: readonly {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  }[],
): Feature => ({
  name,
  yaml: matching(...rules),
  asks: [...taken.map((call) => ({ ...call, want: 'v2' })), ...left.map((call) => ({ ...call, want: 'v1' }))],
});

const team = (value: string | readonly string[]) => ({ headers: { 'x-team': value } });

export const MATCHES: readonly Feature[] = [
  match('match.uri.exact', ['uri: {exact: /echo.Echo/Say}'], [{}], [{ method: OTHER }]),
  match('match.uri.prefix', ['uri: {prefix: /echo.Echo/}'], [{}, { method: OTHER }], [{ method: '/other.Echo/Say' }]),
  match('match.uri.prefix of a whole method', ['uri: {prefix: /echo.Echo/Say}'], [{}], [{ method: OTHER }]),
  match('match.uri.prefix of half a method', ['uri: {prefix: /echo.Echo/Sa}'], [{}], [{ method: OTHER }]),
  match('match.uri.prefix without a service', ['uri: {prefix: /echo}'], [{}], [{ method: '/other.Echo/Say' }]),
  match('match.uri.regex', ['uri: {regex: "/echo\\\\.Echo/(Say|Ask)"}'], [{}], [{ method: '/echo.Echo/Sayings' }]),
  match(
    'match.uri.regex of alternatives fits the whole path',
    ['uri: {regex: "/echo.Echo/Say|/echo.Echo/Ask"}'],
    [{}, { method: '/echo.Echo/Ask' }],
    [{ method: '/echo.Echo/SayMore' }, { method: '/more/echo.Echo/Ask' }],
  ),
  match('match.ignoreUriCase, exact', ['uri: {exact: /ECHO.echo/say}, ignoreUriCase: true'], [{}], [{ method: OTHER }]),
  match(
    'match.ignoreUriCase, prefix',
    ['uri: {prefix: /ECHO.echo/}, ignoreUriCase: true'],
    [{}],
    [{ method: '/e.E/Say' }],
  ),
  match('match.headers exact', ['headers: {x-team: {exact: red}}'], [team('red')], [{}, team('blue'), team('Red')]),
  match('match.headers prefix', ['headers: {x-team: {prefix: re}}'], [team('red')], [{}, team('are')]),
  match('match.headers regex', ['headers: {x-team: {regex: "r[a-z]+"}}'], [team('red')], [{}, team('red1')]),
  match(
    'match.headers regex of alternatives fits the whole value',
    ['headers: {x-team: {regex: "red|blue"}}'],
    [team('red'), team('blue')],
    [{}, team('redder'), team('dark blue')],
  ),
  match('match.headers that are there', ['headers: {x-team: {}}'], [team('red')], [{}]),
  match(
    'match.headers joins several values',
    ['headers: {x-team: {exact: "red,blue"}}'],
    [team(['red', 'blue'])],
    [team('red')],
  ),
  match('match.withoutHeaders exact', ['withoutHeaders: {x-team: {exact: red}}'], [team('blue')], [team('red')]),
  match('match.withoutHeaders regex', ['withoutHeaders: {x-team: {regex: "r.*"}}'], [team('blue')], [team('red')]),
  match('match.withoutHeaders that are there', ['withoutHeaders: {x-team: {}}'], [{}], [team('red')]),
  match(
    'match: all of one, any of several',
    ['uri: {exact: /echo.Echo/Other}, headers: {x-team: {exact: red}}', 'headers: {x-team: {exact: blue}}'],
    [team('blue'), { method: OTHER, ...team('red') }],
    [team('red'), { method: OTHER }],
  ),
  match('match.port', ['port: 7070'], [{}], []),
  match('match.port of another', ['port: 7071'], [], [{}]),
  match('match.sourceNamespace', ['sourceNamespace: default'], [{}], []),
  match('match.sourceNamespace of another', ['sourceNamespace: elsewhere'], [], [{}]),
  match('match.sourceLabels of another', ['sourceLabels: {app: elsewhere}'], [], [{}]),
  match('match.gateways mesh', ['gateways: [mesh]'], [{}], []),
  match('match.gateways of another', ['gateways: [edge]'], [], [{}]),
  match('match.method POST', ['method: {exact: POST}'], [{}], []),
  match('match.method GET', ['method: {exact: GET}'], [], [{}]),
  match('match.queryParams: no call of gRPC has any', ['queryParams: {edition: {exact: preview}}'], [], [{}]),
  {
    name: 'no route is left',
    yaml: http(`{match: [{queryParams: {edition: {exact: preview}}}], ${to('v2')}}`),
    asks: [{ want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  {
    name: 'no route takes the call',
    yaml: http(`{match: [{headers: {x-team: {exact: red}}}], ${to('v2')}}`),
    asks: [
      { want: '!UNAVAILABLE', deadlineMs: 20_000 },
      { ...team('red'), want: 'v2' },
    ],
  },
  {
    name: 'the first route that fits',
    yaml: http(
      `{match: [{uri: {prefix: /echo.}}], ${to('v1')}}`,
      `{match: [{uri: {exact: /echo.Echo/Say}}], ${to('v2')}}`,
      `{${to('v3')}}`,
    ),
    asks: [{ want: 'v1' }, { method: '/other.Echo/Say', want: 'v3' }],
  },
  {
    name: 'delegate',
    yaml:
      virtualService(
        'hosts: [echo], http: [{match: [{uri: {prefix: /echo.Echo/}}], delegate: {name: part, namespace: NS}}, ' +
          `{route: [{destination: {host: echo, subset: v1}}]}]`,
      ) +
      virtualService(
        'http: [{match: [{headers: {x-team: {exact: red}}}], route: [{destination: {host: echo.NS.svc.cluster.local, subset: v2}}]}, ' +
          '{route: [{destination: {host: echo.NS.svc.cluster.local, subset: v3}}]}]',
        'part',
      ),
    asks: [{ want: 'v3' }, { ...team('red'), want: 'v2' }, { method: '/other.Echo/Say', want: 'v1' }],
  },
];
