import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lbEndpoint } from '../../../../test/harness/xds-resources.ts';
import { HealthStatus } from '../../../gen/core.js';
import { LbEndpointSchema } from '../../../gen/endpoint.js';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { createFindings, Scope } from '../scope.ts';
import { decodeEndpoint } from './endpoint.ts';
import { EndpointReader } from './read-endpoint.ts';

/** What the generated code makes of the bytes; undefined where it has anything at all to say about them. */
function generic(bytes: Uint8Array) {
  const findings = createFindings();
  const at = new Scope(findings);
  try {
    const message = fromBinary(LbEndpointSchema, bytes);
    checkFields(LbEndpointSchema, message, FIELDS, at);
    const endpoint = decodeEndpoint(message, at);
    return findings.errors.length + findings.warnings.length === 0 ? endpoint : undefined;
  } catch {
    return undefined;
  }
}

const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.string());
const struct = fc.dictionary(
  fc.constantFrom('hash_key', 'workload', 'x'),
  fc.oneof(fc.string(), fc.double({ noNaN: true })),
);
const message: fc.Arbitrary<MessageInitShape<typeof LbEndpointSchema>> = fc.record(
  {
    hostIdentifier: fc.record({
      case: fc.constant('endpoint' as const),
      value: fc.record(
        {
          hostname: text,
          address: fc
            .tuple(text, fc.nat(70_000))
            .map(([address, port]) => lbEndpoint(address, port).hostIdentifier.value.address),
        },
        { requiredKeys: [] },
      ),
    }),
    healthStatus: fc.integer({ min: 0, max: 9 }) as fc.Arbitrary<HealthStatus>,
    loadBalancingWeight: fc.nat(),
    metadata: fc.record({
      filterMetadata: fc.dictionary(
        fc.constantFrom('envoy.lb', 'istio', 'envoy.transport_socket_match', 'other'),
        struct,
      ),
    }),
  },
  { requiredKeys: [] },
);
const bytesOf = (init: MessageInitShape<typeof LbEndpointSchema>) =>
  toBinary(LbEndpointSchema, create(LbEndpointSchema, init));
const good = bytesOf({
  ...lbEndpoint('10.0.0.1', 80),
  healthStatus: HealthStatus.DRAINING,
  loadBalancingWeight: 3,
  metadata: { filterMetadata: { istio: { workload: 'w;ns' }, 'envoy.lb': { hash_key: 'k' } } },
});

describe('the field reader of LbEndpoint', () => {
  it('reads what control planes send', () => {
    const read = { address: '10.0.0.1', port: 80, health: 'draining', weight: 3, workload: 'w;ns', hashKey: 'k' };
    expect(new EndpointReader().read(good)).toEqual(read);
  });

  it('says what the generated code says, or nothing: over messages', () => {
    const reader = new EndpointReader();
    let read = 0;
    fc.assert(
      fc.property(message, (init) => {
        const bytes = bytesOf(init);
        const endpoint = reader.read(bytes);
        if (endpoint === undefined) return;
        read += 1;
        expect(endpoint).toEqual(generic(bytes));
      }),
      { numRuns: 2_000 },
    );
    expect(read).toBeGreaterThan(100);
  });

  it('and over spoiled and repeated bytes', () => {
    const reader = new EndpointReader();
    const edit = fc.record({
      at: fc.nat(good.length - 1),
      byte: fc.nat(255),
      cut: fc.nat(good.length),
      twice: fc.boolean(),
    });
    fc.assert(
      fc.property(edit, message, ({ at, byte, cut, twice }, other) => {
        const spoiled = Buffer.from(good);
        spoiled[at] = byte;
        const bytes = Buffer.concat([spoiled.subarray(0, cut), twice ? good : bytesOf(other)]);
        const endpoint = reader.read(bytes);
        if (endpoint !== undefined) expect(endpoint).toEqual(generic(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});
