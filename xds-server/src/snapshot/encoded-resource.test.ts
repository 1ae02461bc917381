import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { describe, expect, it } from 'vitest';
import { LISTENER_TYPE } from '../translate/resource-types.ts';
import { createInterning, encodeResource, type Hash } from './encoded-resource.ts';

const hash: Hash = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
const body = toBinary(ListenerSchema, create(ListenerSchema, { name: 'reviews:9080' }));
const encoded = encodeResource(LISTENER_TYPE, 'reviews:9080', body, hash);

describe('encoded resource', () => {
  it('its entries, one after another, are the resources of a response', () => {
    const twice = fromBinary(DiscoveryResponseSchema, Buffer.concat([encoded.sotwEntry, encoded.sotwEntry]));
    expect(twice.resources.map((any) => anyUnpack(any, ListenerSchema)?.name)).toEqual([
      'reviews:9080',
      'reviews:9080',
    ]);
    const [resource] = fromBinary(DeltaDiscoveryResponseSchema, encoded.deltaEntry).resources;
    expect(resource).toMatchObject({ name: 'reviews:9080', version: encoded.version });
    expect(resource?.resource && anyUnpack(resource.resource, ListenerSchema)?.name).toBe('reviews:9080');
  });

  it('the version follows the bytes and nothing else', () => {
    expect(encodeResource(LISTENER_TYPE, 'reviews:9080', body.slice(), hash).version).toBe(encoded.version);
    const other = toBinary(ListenerSchema, create(ListenerSchema, { name: 'ratings:9080' }));
    expect(encodeResource(LISTENER_TYPE, 'reviews:9080', other, hash).version).not.toBe(encoded.version);
  });

  it('is one object wherever its type, name and bytes are the same', () => {
    const intern = createInterning();
    const again = encodeResource(LISTENER_TYPE, 'reviews:9080', body, hash);
    expect([intern(encoded), intern(again)].every((one) => one === encoded)).toBe(true);
    expect(intern(encodeResource(LISTENER_TYPE, 'reviews:80', body, hash))).not.toBe(encoded);
  });
});
