import type { CaseHost, PolicyCase } from '../case.ts';

const H2: readonly CaseHost[] = [{ name: 'a', protocol: 'h2' }];

const connection = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `connection-${name}`,
  area: 'connections',
  ...given,
});

export const CONNECTIONS: readonly PolicyCase[] = [
  connection('reused', {
    rule: 'calls one after the other share a connection',
    tell: ['connections'],
    steps: [{ script: 'ok', times: 4 }],
  }),
  connection('max-requests', {
    rule: 'max_requests_per_connection 2: every third call on a new connection',
    connection: { max_requests_per_connection: 2 },
    tell: ['connections'],
    steps: [{ script: 'ok', times: 5 }],
  }),
  connection('max-requests-h2', {
    rule: 'max_requests_per_connection on HTTP/2',
    hosts: H2,
    connection: { max_requests_per_connection: 2 },
    tell: ['connections'],
    steps: [{ script: 'ok', times: 5 }],
  }),
  connection('idle', {
    rule: 'idle_timeout closes a connection nobody uses',
    connection: { idle_timeout: '0.2s' },
    tell: ['connections'],
    steps: [{ script: 'ok' }, { waitMs: 50 }, { script: 'ok' }, { waitMs: 600 }, { script: 'ok' }],
  }),
  connection('max-duration', {
    rule: 'max_connection_duration: the call under way ends, the next has a new connection',
    connection: { max_connection_duration: '0.3s' },
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok;wait=500' }, { script: 'ok' }],
  }),
  connection('keep-alive-race', {
    rule: 'a reset of a reused connection before an answer: Envoy has no retry of its own',
    hosts: [{ name: 'a', dropsAfter: 1 }],
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok' }, { script: 'ok' }],
    differs:
      'A call on a reused connection that was reset before any byte of an answer is sent once more on a fresh one, where it may be repeated.',
  }),
  connection('keep-alive-race-retried', {
    rule: 'the keep-alive race with `reset`: retried on a new connection',
    hosts: [{ name: 'a', dropsAfter: 1 }],
    route: { retry_policy: { retry_on: 'reset', num_retries: 1, retry_back_off: { base_interval: '0.001s' } } },
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok' }],
  }),
  connection('closed-while-idle', {
    rule: 'a connection the upstream closed while idle is not used',
    hosts: [{ name: 'a', closesAfter: 1 }],
    tell: ['connections'],
    steps: [{ script: 'ok' }, { waitMs: 100 }, { script: 'ok' }],
  }),
  connection('announced-close', {
    rule: '`connection: close` of an answer: the next call has a new connection',
    tell: ['connections'],
    steps: [{ script: 'ok;connection=close' }, { script: 'ok' }],
  }),
  connection('goaway', {
    rule: 'GOAWAY: the stream under way is answered, the next call has a new connection',
    hosts: H2,
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'goaway' }, { waitMs: 50 }, { script: 'ok' }],
  }),
  connection('goaway-below', {
    rule: 'GOAWAY whose last stream is a lower one: the stream was refused',
    hosts: H2,
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'goaway-below', lastsMs: [0, 1000] }, { script: 'ok' }],
  }),
  connection('goaway-below-retried', {
    rule: 'GOAWAY whose last stream is a lower one: retried for `refused-stream`',
    hosts: H2,
    route: { retry_policy: { retry_on: 'refused-stream', retry_back_off: { base_interval: '0.001s' } } },
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'goaway-below,ok' }],
  }),
  connection('h2-multiplexed', {
    rule: 'HTTP/2: calls at once share a connection',
    hosts: H2,
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok;wait=100', times: 5, atOnce: 5 }],
  }),
  connection('h2-max-streams', {
    rule: "HTTP/2: more calls than the peer's concurrent streams make another connection",
    hosts: [{ name: 'a', protocol: 'h2', maxConcurrentStreams: 2 }],
    tell: ['connections'],
    steps: [{ script: 'ok' }, { script: 'ok;wait=300', times: 4, atOnce: 4 }],
  }),
  connection('h2-reset', {
    rule: 'HTTP/2: codes of RST_STREAM before the head, without a retry policy',
    hosts: H2,
    steps: ['refuse', 'rst;code=0', 'rst;code=1', 'rst;code=2', 'rst;code=8', 'rst;code=11'].map((script) => ({
      script,
    })),
  }),
  connection('h2-lost', {
    rule: 'HTTP/2: the connection is lost before the head, and in the body',
    hosts: H2,
    steps: [{ script: 'reset' }, { script: 'close' }, { script: 'reset-body;body=abcdefgh' }],
  }),
  connection('broken-body', {
    rule: 'HTTP/1.1: reset after the head, in the body, and a body cut short',
    steps: [{ script: 'reset-headers' }, { script: 'reset-body;body=abcdefgh' }, { script: 'truncate;body=abcdefgh' }],
  }),
  connection('caller-gone', {
    rule: 'the caller goes away: DC, the upstream request is reset',
    steps: [{ script: 'ok;wait=400', abortAfterMs: 100 }, { waitMs: 150 }],
  }),
  connection('upgrade', {
    rule: 'an upgrade the connection manager allows is passed through',
    manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    steps: [{ upgrade: 'websocket' }],
    differs: 'The call ends with the 101: what becomes of the socket is between the application and its peer.',
  }),
  connection('upgrade-not-allowed', {
    rule: 'an upgrade nobody allows is 403',
    steps: [{ upgrade: 'websocket' }],
    differs: 'Upgrades are always allowed: the application itself asks for them.',
  }),
  connection('trailers', {
    rule: 'trailers of an upstream on HTTP/2 come to the caller',
    hosts: H2,
    manager: { http_protocol_options: { enable_trailers: true } },
    steps: [{ script: 'ok;content-type=application/grpc;trailer.grpc-status=7', dispatcher: true }],
  }),
];
