import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from '@inmesh/sdk/internal/gen/discovery';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tooLarge } from './request-size.ts';

const LIMITS = { requestBytes: 10_000, requestFields: 100, nodeBytes: 1_000 };

const delta = (fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): Uint8Array =>
  toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields));
const sotw = (fields: MessageInitShape<typeof DiscoveryRequestSchema>): Uint8Array =>
  toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, fields));
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`);

it('takes a request within its limits, and says which one it exceeds', () => {
  const node = { id: 'a', metadata: { big: 'x'.repeat(1_000) } };
  expect(tooLarge(delta({ resourceNamesSubscribe: names(99) }), 'delta', LIMITS)).toBeUndefined();
  expect(tooLarge(delta({ resourceNamesSubscribe: names(101) }), 'delta', LIMITS)).toMatch(/more than 100 names/);
  expect(tooLarge(sotw({ resourceNames: names(101) }), 'sotw', LIMITS)).toMatch(/more than 100 names/);
  expect(tooLarge(delta({ node }), 'delta', LIMITS)).toMatch(/a node of \d+ bytes/);
  expect(tooLarge(sotw({ node }), 'sotw', LIMITS)).toMatch(/a node of \d+ bytes/);
  expect(tooLarge(delta({ typeUrl: 'x'.repeat(10_000) }), 'delta', LIMITS)).toMatch(/at most 10000 are read/);
});

it('never throws, whatever bytes come', () => {
  const bytes = fc.uint8Array({ minLength: 900, maxLength: 12_000 });
  fc.assert(fc.property(bytes, fc.constantFrom('delta', 'sotw'), (any, method) => void tooLarge(any, method, LIMITS)));
});
