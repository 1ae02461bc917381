import { fromBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeResource } from '../snapshot/encoded-resource.ts';
import { deltaResponse, sotwResponse } from './response-bytes.ts';

const text = fc.string({ unit: 'binary', maxLength: 300 });
const resources = fc.array(fc.record({ name: text, body: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 4 });

it('puts together what protobuf reads back, whatever the texts and sizes', () => {
  fc.assert(
    fc.property(
      text,
      text,
      text,
      resources,
      fc.array(text, { maxLength: 3 }),
      (version, typeUrl, nonce, given, removed) => {
        const encoded = given.map(({ name, body }) =>
          encodeResource(typeUrl, name, body, (bytes) => `h${bytes.length}`),
        );
        const delta = fromBinary(
          DeltaDiscoveryResponseSchema,
          deltaResponse(
            { version, typeUrl, nonce },
            encoded.map(({ deltaEntry }) => deltaEntry),
            removed,
          ),
        );
        expect(delta).toMatchObject({ systemVersionInfo: version, typeUrl, nonce, removedResources: removed });
        expect(
          delta.resources.map(({ name, version: one, resource }) => [
            name,
            one,
            resource && Uint8Array.from(resource.value),
          ]),
        ).toEqual(given.map(({ name, body }) => [name, `h${body.length}`, body]));
        const sotw = fromBinary(
          DiscoveryResponseSchema,
          sotwResponse(
            { version, typeUrl, nonce },
            encoded.map(({ sotwEntry }) => sotwEntry),
          ),
        );
        expect(sotw).toMatchObject({ versionInfo: version, typeUrl, nonce });
        expect(sotw.resources.map((any) => [any.typeUrl, Uint8Array.from(any.value)])).toEqual(
          given.map(({ body }) => [typeUrl, body]),
        );
      },
    ),
  );
});
