import type { JsonValue } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { decode, errors, host, only, to, warnings } from './route-configuration.fixture.ts';

const route = (policy: JsonValue, more: Record<string, JsonValue> = {}): JsonValue =>
  host({
    ...Object(to(more)),
    metadata: {
      typedFilterMetadata: {
        'inmesh.io/call-policy': { '@type': 'type.googleapis.com/inmesh.v1.CallPolicy', ...Object(policy) },
      },
    },
  });
const actionOf = (json: JsonValue) => only(decode(json)).action;

describe('inmesh.v1.CallPolicy in the metadata of a route', () => {
  it.each<[string, JsonValue, object]>([
    [
      'hedging after a time',
      { hedging: { fixedDelay: '0.05s', maxHedges: 2 } },
      { hedge: { delay: 50, maxHedges: 2 } },
    ],
    ['hedging by p95', { hedging: { p95Delay: true } }, { hedge: { delay: 'p95', onPerTryTimeout: false } }],
    [
      'mirror comparison',
      { mirrorComparison: { json: true } },
      { mirrorComparison: { status: false, json: true, latency: false } },
    ],
    ['repeating what is not idempotent', { retryNonIdempotent: true }, { retryNonIdempotent: true }],
    ['who said so', { sources: ['shop/p'] }, { callPolicies: ['shop/p'] }],
  ])('%s', (_, policy, expected) => {
    expect(actionOf(route(policy))).toMatchObject(expected);
  });

  it('joins what Envoy fields say', () => {
    const hedgePolicy = { hedgeOnPerTryTimeout: true };
    expect(actionOf(route({ hedging: { fixedDelay: '1s' } }, { hedgePolicy }))).toMatchObject({
      hedge: { onPerTryTimeout: true, delay: 1_000 },
    });
  });

  it('gives faults their scope', () => {
    const fault = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault' };
    const json = Object(route({ faultScope: 'ATTEMPT' }));
    json.virtualHosts[0].typedPerFilterConfig = { fault };
    expect(actionOf(json)).toMatchObject({ fault: { scope: 'attempt' } });
  });

  it.each<[JsonValue, string]>([
    [{ hedging: { fixedDelay: '0s' } }, 'hedging.fixed_delay: 0 s'],
    [{ hedging: { maxHedges: 11 } }, 'hedging.max_hedges: 11'],
  ])('%j is refused', (policy, expected) => {
    expect(errors(route(policy))).toEqual([expect.stringContaining(expected)]);
  });

  it('typed metadata of others is passed over with a word', () => {
    const metadata = { typedFilterMetadata: { x: { '@type': 'type.googleapis.com/inmesh.v1.RouteSources' } } };
    expect(warnings(host({ ...Object(to()), metadata }))).toEqual([
      expect.stringContaining('typed_filter_metadata.x: ignored: inmesh.v1.RouteSources'),
    ]);
  });
});
