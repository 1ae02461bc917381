import { expect } from 'vitest';
import { type Feature, http, matching, split, type Told, to, virtualService } from './feature.ts';

/** How long a call took at least; how long at most is the machine's business. */
const late = (ms: number) => (told: readonly Told[]) => {
  for (const one of told) {
    expect(one).toMatchObject({ status: 'OK' });
    expect(one.ms).toBeGreaterThan(ms);
  }
};

/** Ended by the mesh, long before the caller's own deadline. */
const cutOff = (told: readonly Told[]): void => {
  for (const one of told) {
    expect(one.status).toBe('DEADLINE_EXCEEDED');
    expect(one.ms).toBeLessThan(20_000);
  }
};

/** A route beside one for everything else. */
const beside = (path: string, action: string): string =>
  http(`{match: [{uri: {exact: ${path}}}], ${action}}`, `{${to('v1')}}`);

const v1 = (name: string, extra: string): Feature => ({
  name,
  yaml: http(`{${to('v1')}, ${extra}}`),
  asks: [{ want: 'v1' }],
});

const fail = (times: number, status: number) => ({ headers: { 'x-fail': `${times} ${status}` } });

export const ACTIONS: readonly Feature[] = [
  { name: 'no rules', yaml: '', asks: [{ want: 'v1|v2|v3', count: 60 }] },
  { name: 'route to a subset', yaml: http(`{${to('v3')}}`), asks: [{ want: 'v3', count: 10 }] },
  {
    name: 'weights',
    yaml: http(`{${split(['v1', 80], ['v2', 20])}}`),
    asks: [
      {
        count: 300,
        parallel: 10,
        want: (told) => {
          const second = told.filter(({ seen }) => seen?.backend === 'v2').length;
          expect(told.filter(({ status }) => status !== 'OK')).toEqual([]);
          // One in a billion either way.
          expect(second).toBeGreaterThan(20);
          expect(second).toBeLessThan(107);
        },
      },
    ],
  },
  {
    name: 'weights, one of them none',
    yaml: http(`{${split(['v1', 100], ['v2', 0])}}`),
    asks: [{ want: 'v1', count: 40 }],
  },
  {
    name: 'weights that are no hundred',
    yaml: http(`{${split(['v1', 1], ['v2', 1])}}`),
    asks: [{ want: 'v1|v2', count: 60 }],
  },
  {
    name: 'subset that is not there',
    yaml: http(`{match: [{uri: {exact: /echo.Echo/Lost}}], ${to('v9')}}`, `{${to('v1')}}`),
    asks: [{ want: 'v1' }, { method: '/echo.Echo/Lost', want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  {
    name: 'host that is not there',
    yaml: http('{match: [{uri: {exact: /echo.Echo/Lost}}], route: [{destination: {host: nobody}}]}', `{${to('v1')}}`),
    asks: [{ want: 'v1' }, { method: '/echo.Echo/Lost', want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  {
    name: 'fault.abort.httpStatus',
    yaml: http(
      `{match: [{headers: {x-code: {exact: "503"}}}], fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, ${to('v1')}}`,
      `{match: [{headers: {x-code: {exact: "404"}}}], fault: {abort: {httpStatus: 404, percentage: {value: 100}}}, ${to('v1')}}`,
      `{match: [{headers: {x-code: {exact: "0"}}}], fault: {abort: {httpStatus: 500, percentage: {value: 0}}}, ${to('v1')}}`,
      `{${to('v2')}}`,
    ),
    asks: [
      { headers: { 'x-code': '503' }, want: '!UNAVAILABLE' },
      { headers: { 'x-code': '404' }, want: '!UNIMPLEMENTED' },
      { headers: { 'x-code': '0' }, want: 'v1' },
      { want: 'v2' },
    ],
  },
  {
    name: 'fault.abort.grpcStatus',
    yaml: http(`{fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}, ${to('v1')}}`),
    asks: [{ want: '!RESOURCE_EXHAUSTED' }],
  },
  {
    name: 'fault.abort of a share',
    yaml: http(`{fault: {abort: {httpStatus: 503, percentage: {value: 50}}}, ${to('v1')}, retries: {attempts: 0}}`),
    asks: [{ want: '!UNAVAILABLE|v1', count: 60 }],
  },
  {
    name: 'fault.delay',
    yaml: http(`{fault: {delay: {fixedDelay: 300ms, percentage: {value: 100}}}, ${to('v1')}}`),
    asks: [{ want: late(290) }],
  },
  {
    name: 'timeout',
    yaml: http(`{${to('v1')}, timeout: 500ms}`),
    asks: [{ want: 'v1' }, { headers: { 'x-delay': '40000' }, deadlineMs: 30_000, want: cutOff }],
  },
  {
    name: 'retries, two failures',
    yaml: http(`{${to('v1')}, retries: {attempts: 3}}`),
    asks: [{ ...fail(2, 14), want: 'v1' }],
  },
  {
    name: 'retries of each word that has a meaning for gRPC',
    yaml: http(`{${to('v1')}, retries: {attempts: 2, retryOn: "cancelled, resource-exhausted,internal"}}`),
    asks: [
      { ...fail(1, 1), want: 'v1' },
      { ...fail(1, 8), want: 'v1' },
      { ...fail(1, 13), want: 'v1' },
      { ...fail(1, 5), want: '!NOT_FOUND' },
    ],
  },
  {
    name: 'retries in the words of HTTP',
    yaml: http(
      `{${to('v1')}, retries: {attempts: 3, perTryTimeout: 2s, retryOn: "gateway-error,connect-failure,refused-stream"}}`,
    ),
    asks: [{ want: 'v1' }, { ...fail(2, 14), want: 'v1' }],
  },
  { name: 'retries by default', yaml: http(`{${to('v1')}}`), asks: [{ ...fail(1, 14), want: 'v1' }] },
  {
    name: 'retries 0',
    yaml: http(`{${to('v1')}, retries: {attempts: 0}}`),
    asks: [{ ...fail(1, 14), want: '!UNAVAILABLE' }],
  },
  {
    name: 'retries, more than gRPC makes',
    yaml: http(`{${to('v1')}, retries: {attempts: 20, retryRemoteLocalities: true, retryIgnorePreviousHosts: true}}`),
    asks: [{ ...fail(3, 14), want: 'v1' }],
  },
  {
    name: 'redirect',
    yaml: beside('/echo.Echo/Old', 'redirect: {uri: /echo.Echo/Say, authority: echo, redirectCode: 302}'),
    asks: [{ want: 'v1' }, { method: '/echo.Echo/Old', want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  {
    name: 'directResponse',
    yaml: beside('/echo.Echo/Old', 'directResponse: {status: 418, body: {string: teapot}}'),
    asks: [{ want: 'v1' }, { method: '/echo.Echo/Old', want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  {
    name: 'redirect of everything',
    yaml: http('{redirect: {uri: /elsewhere}}'),
    asks: [{ want: '!UNAVAILABLE', deadlineMs: 20_000 }],
  },
  v1('rewrite.uri', 'rewrite: {uri: /other.Echo/Say}'),
  v1('rewrite.authority', 'rewrite: {authority: other.example}'),
  v1('rewrite.uriRegexRewrite', 'rewrite: {uriRegexRewrite: {match: "^/echo", rewrite: "/other"}}'),
  v1(
    'headers',
    'headers: {request: {set: {x-a: b}, add: {x-c: d}, remove: [x-e]}, response: {set: {x-f: g}, remove: [x-h]}}',
  ),
  v1('mirror', 'mirror: {host: echo, subset: v2}, mirrorPercentage: {value: 100}'),
  v1(
    'mirrors',
    'mirrors: [{destination: {host: echo, subset: v2}, percentage: {value: 50}}, {destination: {host: echo, subset: v3}}]',
  ),
  v1(
    'corsPolicy',
    'corsPolicy: {allowOrigins: [{regex: ".*"}], allowMethods: [POST], maxAge: 24h, allowCredentials: true}',
  ),
  {
    name: 'headers of a destination',
    yaml: http('{route: [{destination: {host: echo, subset: v2}, weight: 100, headers: {request: {set: {x-a: b}}}}]}'),
    asks: [{ want: 'v2' }],
  },
  {
    name: 'several hosts, a wildcard, short and full names',
    yaml: virtualService(
      `hosts: ["*.NS.svc.cluster.local"], http: [{route: [{destination: {host: echo, subset: v2}}]}]`,
    ),
    asks: ['echo.NS:7070', 'echo.NS.svc:7070', 'echo.NS.svc.cluster.local:7070'].map((target) => ({
      target,
      want: 'v2',
    })),
  },
  {
    name: 'exportTo another namespace: not for this client',
    yaml: virtualService(
      `hosts: [echo], exportTo: ["."], http: [{fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, ${to('v2')}}]`,
    ),
    asks: [{ want: 'v1|v2|v3', count: 60 }],
  },
  {
    name: 'a name of a route, statPrefix of nobody',
    yaml: matching('name: red, headers: {x-team: {exact: red}}'),
    asks: [{ want: 'v1' }, { headers: { 'x-team': 'red' }, want: 'v2' }],
  },
];
