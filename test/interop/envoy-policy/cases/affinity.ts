import type { JsonObject } from '@bufbuild/protobuf';
import type { CaseHost, PolicyCase } from '../case.ts';

const THREE: readonly CaseHost[] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

const affinity = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `affinity-${name}`,
  area: 'affinity',
  hosts: THREE,
  ...given,
});

const session = (state: JsonObject, more: JsonObject = {}): readonly JsonObject[] => [
  {
    name: 'envoy.filters.http.stateful_session',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession',
      session_state: state,
      ...more,
    },
  },
];

const COOKIE = {
  name: 'envoy.http.stateful_session.cookie',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState',
    cookie: { name: 'session', path: '/', ttl: '60s' },
  },
};

const HEADER = {
  name: 'envoy.http.stateful_session.header',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState',
    name: 'x-session',
  },
};

export const AFFINITY: readonly PolicyCase[] = [
  affinity('cookie-set', {
    rule: 'a missing cookie with a ttl is made: set-cookie with Max-Age, Path and HttpOnly',
    cluster: { lb_policy: 'RING_HASH' },
    route: { hash_policy: [{ cookie: { name: 'user', ttl: '60s', path: '/p' } }] },
    steps: [{ script: 'ok' }, { script: 'ok', headers: { cookie: 'user=1' } }],
  }),
  affinity('cookie-session', {
    rule: 'a ttl of 0 makes a session cookie',
    cluster: { lb_policy: 'RING_HASH' },
    route: { hash_policy: [{ cookie: { name: 'user', ttl: '0s' } }] },
    steps: [{ script: 'ok' }],
  }),
  affinity('cookie-not-made', {
    rule: 'no ttl: no cookie is made',
    cluster: { lb_policy: 'RING_HASH' },
    route: { hash_policy: [{ cookie: { name: 'user' } }] },
    steps: [{ script: 'ok' }],
  }),
  affinity('cookie-sticks', {
    rule: 'the same cookie, the same host; a retry of a hashed call without a predicate goes there again',
    cluster: { lb_policy: 'RING_HASH' },
    route: {
      hash_policy: [{ cookie: { name: 'user', ttl: '60s' } }],
      retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } },
    },
    tell: ['distinct'],
    steps: [{ script: '503', headers: { cookie: 'user=1' }, times: 3 }],
  }),
  affinity('session-cookie', {
    rule: 'stateful session by cookie: an answer without one sets it; an unknown host is balanced as usual',
    filters: session(COOKIE),
    steps: [{ script: 'ok' }, { script: 'ok', headers: { cookie: 'session="MTAuMC4wLjE6ODA="' } }],
  }),
  affinity('session-header', {
    rule: 'stateful session by header: x-session of the answer names the host',
    filters: session(HEADER),
    steps: [{ script: 'ok' }, { script: 'ok', headers: { 'x-session': 'MTAuMC4wLjE6ODA=' } }],
  }),
  affinity('session-cookie-returns', {
    rule: 'the cookie an answer sets carries the next calls to the same host',
    filters: session(COOKIE),
    tell: ['same-host'],
    steps: [{ script: 'ok' }, { script: 'ok', returnsSession: true, times: 6 }],
  }),
  affinity('session-header-returns', {
    rule: 'the x-session of an answer carries the next calls to the same host; a retry is balanced as usual',
    filters: session(HEADER),
    route: { retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } } },
    tell: ['same-host'],
    steps: [
      { script: 'ok' },
      { script: 'ok', returnsSession: true, times: 6 },
      { script: '503', returnsSession: true, times: 2 },
    ],
  }),
  affinity('session-strict', {
    rule: 'strict: a session of a host that is gone is answered 503',
    filters: session(HEADER, { strict: true }),
    steps: [{ script: 'ok' }, { script: 'ok', headers: { 'x-session': 'MTAuMC4wLjE6ODA=' } }],
  }),
];
