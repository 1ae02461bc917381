import type { JsonObject } from '@bufbuild/protobuf';
import type { PolicyCase } from '../case.ts';

const mirror = (name: string, given: Omit<PolicyCase, 'name' | 'area'>): PolicyCase => ({
  name: `mirror-${name}`,
  area: 'mirrors',
  mirrors: [{ name: 'm' }],
  ...given,
});

const to = (...policies: readonly JsonObject[]): JsonObject => ({
  request_mirror_policies: policies.map((policy) => ({ cluster: 'MIRROR', ...policy })),
});

/** A copy is sent beside the call, and may arrive after its answer. */
const LATER = { waitMs: 200 };

export const MIRRORS: readonly PolicyCase[] = [
  mirror('all', {
    rule: 'a copy of every request, its host with -shadow',
    route: to({}),
    steps: [{ script: 'ok' }, LATER],
  }),
  mirror('no-suffix', {
    rule: 'disable_shadow_host_suffix_append: the host as it is',
    route: to({ disable_shadow_host_suffix_append: true }),
    steps: [{ script: 'ok' }, LATER],
  }),
  mirror('port', {
    rule: '-shadow stands before the port',
    route: to({}),
    steps: [{ script: 'ok', headers: { host: 'service.test:8080' } }, LATER],
  }),
  mirror('share', {
    rule: 'runtime_fraction 25 %',
    route: to({ runtime_fraction: { default_value: { numerator: 25, denominator: 'HUNDRED' } } }),
    share: { of: { mirrored: true }, is: 0.25 },
    steps: [{ script: 'ok', times: 1000, atOnce: 8 }, LATER],
  }),
  mirror('none', {
    rule: 'runtime_fraction 0: none',
    route: to({ runtime_fraction: { default_value: { numerator: 0 } } }),
    steps: [{ script: 'ok', times: 20 }, LATER],
  }),
  mirror('two', {
    rule: 'two policies: two copies',
    route: to({}, { disable_shadow_host_suffix_append: true }),
    steps: [{ script: 'ok' }, LATER],
  }),
  mirror('bad-mirror', {
    rule: 'what the mirror does is nothing to the caller',
    mirrors: [{ name: 'm', script: 'reset' }],
    route: to({}),
    steps: [{ script: 'ok', times: 3 }, LATER],
  }),
  mirror('slow-mirror', {
    rule: 'a mirror that never answers delays nothing',
    mirrors: [{ name: 'm', script: 'stall' }],
    counters: 'ignored',
    route: { timeout: '0.3s', ...to({}) },
    steps: [{ script: 'ok', times: 3, lastsMs: [0, 280] }, LATER],
  }),
  mirror('refused-mirror', {
    rule: 'a mirror that refuses connections',
    mirrors: [{ name: 'm', connections: 'refuse' }],
    route: to({}),
    counters: 'ignored',
    steps: [{ script: 'ok', times: 3 }, LATER],
  }),
  mirror('post', {
    rule: 'the copy has the body',
    route: to({}),
    steps: [{ script: 'ok', method: 'POST', bodyBytes: 5000 }, LATER],
    tell: ['body-bytes'],
  }),
  mirror('stream', {
    rule: 'the copy of a streamed body has all of it',
    route: to({}),
    steps: [{ script: 'ok', method: 'PUT', bodyBytes: 30_000, streamed: true }, LATER],
    tell: ['body-bytes'],
  }),
  mirror('retries', {
    rule: 'one copy a call, not one a try',
    route: {
      retry_policy: { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } },
      ...to({}),
    },
    steps: [{ script: '503,503,ok' }, LATER],
  }),
  mirror('no-host', {
    rule: 'a copy is sent though the call itself has no host',
    hosts: [{ name: 'a', connections: 'refuse' }],
    route: to({}),
    steps: [{ script: 'ok' }, LATER],
  }),
];
