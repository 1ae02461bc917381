import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLUSTER_TYPE, ENDPOINT_TYPE } from '../translate/resource-types.ts';
import { encodeResource, type Hash } from './encoded-resource.ts';
import { createFederation } from './federation.ts';

const hash: Hash = (bytes) => Buffer.from(bytes).toString('base64url');
const NAME = 'outbound|9080||reviews.default.svc.cluster.local';
const ID = 'outbound%7C9080%7C%7Creviews.default.svc.cluster.local';
const TYPE = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

const body = toBinary(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName: NAME }));
const plain = encodeResource(ENDPOINT_TYPE, NAME, body, hash);
const federation = createFederation({ authorities: ['', 'Mesh.Example'], hash });
const find = federation.lookup(ENDPOINT_TYPE, (name) => (name === NAME ? plain : undefined));

const nameWithin = (any: Uint8Array): string =>
  fromBinary(ClusterLoadAssignmentSchema, fromBinary(AnySchema, any).value).clusterName;

describe('xdstp names at the server (gRFC A47)', () => {
  it.each([`xdstp:///${TYPE}/${ID}`, `xdstp://mesh.example/${TYPE}/${ID}`, `xdstp://MESH.example/${TYPE}/${NAME}`])(
    'answers for an authority that is served, under the name as asked for: %s',
    (name) => {
      const found = find(name);
      expect(found?.name).toBe(name);
      expect(found && nameWithin(found.any)).toBe(name);
      expect(find(name)).toBe(found);
    },
  );

  it('leaves plain names as they are', () => {
    expect(find(NAME)).toBe(plain);
    expect(federation.plainName(ENDPOINT_TYPE, NAME)).toBe(NAME);
    expect(federation.plainName(ENDPOINT_TYPE, `xdstp:///${TYPE}/${ID}`)).toBe(NAME);
  });

  it.each([
    ['another authority', `xdstp://other/${TYPE}/${ID}`],
    ['another type', `xdstp:///envoy.config.cluster.v3.Cluster/${ID}`],
    ['a context that nothing of ours has', `xdstp:///${TYPE}/${ID}?b=1&a=2`],
    ['a collection', `xdstp:///${TYPE}/*`],
    ['a directive', `xdstp:///${TYPE}/${ID}#entry`],
    ['a name within the name', `xdstp:///${TYPE}/xdstp%3A%2F%2F%2Fx`],
    ['what is no UTF-8', `xdstp:///${TYPE}/%FF`],
    ['what is no xdstp name', 'xdstp:reviews'],
  ])('says of %s that it does not exist', (_what, name) => {
    expect(find(name)).toBeUndefined();
    expect(federation.plainName(ENDPOINT_TYPE, name)).toBeUndefined();
  });

  it('never throws, whatever comes, and never takes one for a plain name', () => {
    const asked: string[] = [];
    const ask = federation.lookup(CLUSTER_TYPE, (name) => {
      asked.push(name);
      return undefined;
    });
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => ask(`xdstp://${text}`) === undefined));
    expect(asked.filter((name) => name.startsWith('xdstp:'))).toEqual([]);
  });
});
