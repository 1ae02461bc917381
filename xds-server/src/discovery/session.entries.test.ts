import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack, durationMs } from '@bufbuild/protobuf/wkt';
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
  type Resource,
  ResourceSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import { describe, expect, it } from 'vitest';
import { ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const EDS = ENDPOINT_TYPE;
const UNWRAPS = { ...NODE, clientFeatures: ['xds.config.resource-in-sotw'] };
const ENVOY = { ...UNWRAPS, userAgentName: 'envoy' };

type Stream = ReturnType<typeof scripted>;

const sotw = ({ raw }: Stream) => fromBinary(DiscoveryResponseSchema, raw.at(-1) ?? new Uint8Array());
const delta = ({ raw }: Stream) => fromBinary(DeltaDiscoveryResponseSchema, raw.at(-1) ?? new Uint8Array());

/** What a wrapper says, in one line. */
const shown = ({ name, version, resource, ttl }: Resource): string =>
  `${name} ${version} ${resource === undefined ? 'no body' : Buffer.from(resource.value).toString()} ${ttl === undefined ? 'for ever' : durationMs(ttl)}`;

const wrapped = (stream: Stream): readonly string[] =>
  sotw(stream).resources.map((any) => {
    const resource = anyUnpack(any, ResourceSchema);
    return resource === undefined ? 'not wrapped' : shown(resource);
  });

describe('resources in wrappers', () => {
  it.each([
    ['says that it unwraps them', UNWRAPS, ['a v:a1 a1 for ever']],
    ['does not', NODE, ['not wrapped']],
  ])('state of the world, a client that %s', (_what, node, expected) => {
    const stream = scripted('sotw');
    stream.world.set(`${EDS}/a`, 'a1');
    stream.sotw({ node, typeUrl: EDS, resourceNames: ['a'] });
    stream.take();
    expect(wrapped(stream)).toEqual(expected);
  });
});

describe('time to live', () => {
  const ttls = { ttlMs: (typeUrl: string) => (typeUrl === EDS ? 30_000 : undefined) };

  it.each([
    ['an Envoy', ENVOY, ['a v:a1 a1 30000']],
    ['an SDK', { ...UNWRAPS, metadata: { INMESH_KIND: 'sdk' } }, ['a v:a1 a1 30000']],
    ['a gRPC client, which keeps no time', UNWRAPS, ['a v:a1 a1 for ever']],
    ['an Envoy that does not unwrap', { ...NODE, userAgentName: 'envoy' }, ['not wrapped']],
  ])('state of the world: %s', (_who, node, expected) => {
    const stream = scripted('sotw', {}, ttls);
    stream.world.set(`${EDS}/a`, 'a1');
    stream.sotw({ node, typeUrl: EDS, resourceNames: ['a'] });
    stream.take();
    expect(wrapped(stream)).toEqual(expected);
  });

  it('state of the world: renewed without a body, in the version that the client has taken', () => {
    const stream = scripted('sotw', {}, ttls);
    stream.world.set(`${EDS}/a`, 'a1').set(`${EDS}/b`, 'b1');
    stream.sotw({ node: ENVOY, typeUrl: EDS, resourceNames: ['a', 'b'] });
    const [first] = stream.take();
    stream.session.renew(EDS);
    // Nothing before it has answered: it may refuse what it was sent.
    expect(stream.raw).toHaveLength(1);
    const names = { typeUrl: EDS, resourceNames: ['a', 'b'] };
    stream.sotw({ ...names, responseNonce: first?.nonce ?? '', versionInfo: first?.version ?? '' });
    stream.session.renew(EDS);
    expect(wrapped(stream)).toEqual(['a v:a1 no body 30000', 'b v:b1 no body 30000']);
    expect(sotw(stream).versionInfo).toBe(first?.version);
    const { nonce, versionInfo } = sotw(stream);
    stream.take();
    stream.sotw({ ...names, responseNonce: nonce, versionInfo });
    expect([stream.take(), stream.session.isSettled]).toEqual([[], true]);
  });

  it('a renewal that is refused is not passed over', () => {
    const stream = scripted('sotw', {}, ttls);
    stream.world.set(`${EDS}/a`, 'a1');
    const names = { typeUrl: EDS, resourceNames: ['a'] };
    stream.sotw({ node: ENVOY, ...names });
    const [first] = stream.take();
    stream.sotw({ ...names, responseNonce: first?.nonce ?? '', versionInfo: first?.version ?? '' });
    stream.session.renew(EDS);
    const { nonce, versionInfo } = sotw(stream);
    stream.sotw({ ...names, responseNonce: nonce, versionInfo, errorDetail: { message: 'no body' } });
    expect(stream.session.statuses.get(EDS)).toMatchObject({ kind: 'NACK', reason: 'no body' });
  });

  it('what was refused is not renewed, and stays refused', () => {
    const stream = scripted('sotw', {}, ttls);
    stream.world.set(`${EDS}/a`, 'a1').set(`${EDS}/b`, 'b1');
    const names = { typeUrl: EDS, resourceNames: ['a', 'b'] };
    stream.sotw({ node: ENVOY, ...names });
    const [first] = stream.take();
    stream.sotw({ ...names, responseNonce: first?.nonce ?? '', versionInfo: first?.version ?? '' });
    stream.change({ [`${EDS}/b`]: 'b2' });
    const [second] = stream.take();
    const refusal = { errorDetail: { message: 'b: bad' } };
    stream.sotw({ ...names, responseNonce: second?.nonce ?? '', versionInfo: first?.version ?? '', ...refusal });
    stream.session.renew(EDS);
    expect(wrapped(stream)).toEqual(['a v:a1 no body 30000']);
    expect(sotw(stream).versionInfo).toBe(first?.version);
    expect(stream.session.statuses.get(EDS)?.kind).toBe('NACK');
  });

  it('delta: with each resource, and renewed for what a client came back with', () => {
    const stream = scripted('delta', {}, ttls);
    stream.world.set(`${EDS}/a`, 'a1').set(`${EDS}/b`, 'b1');
    stream.delta({
      node: ENVOY,
      typeUrl: EDS,
      resourceNamesSubscribe: ['a', 'b'],
      initialResourceVersions: { a: 'v:a1' },
    });
    const [first] = stream.take();
    expect(delta(stream).resources.map(shown)).toEqual(['b v:b1 b1 30000']);
    stream.delta({ typeUrl: EDS, responseNonce: first?.nonce ?? '' });
    stream.session.renew(EDS);
    expect(delta(stream).resources.map(shown)).toEqual(['a v:a1 no body 30000', 'b v:b1 no body 30000']);
    stream.session.renew(LISTENER_TYPE);
    expect(stream.raw).toHaveLength(2);
  });
});

describe('why something does not exist (gRFC A88 resource_errors)', () => {
  const because = {
    absence: (_: unknown, _type: string, name: string) => (name === 'secret' ? 'not yours' : undefined),
  };
  const errorsOf = (message: ReturnType<typeof sotw> | ReturnType<typeof delta>): readonly string[] =>
    message.resourceErrors.map(
      ({ resourceName, errorDetail }) => `${resourceName?.name} ${errorDetail?.code} ${errorDetail?.message}`,
    );

  it.each([LISTENER_TYPE, ROUTE_TYPE])(
    'state of the world: each name that is answered without a resource (%s)',
    (typeUrl) => {
      const stream = scripted('sotw', {}, because);
      stream.world.set(`${typeUrl}/a`, 'a1');
      stream.sotw({ node: NODE, typeUrl, resourceNames: ['a', 'nope', 'secret'] });
      stream.take();
      expect(sotw(stream).resources).toHaveLength(1);
      expect(errorsOf(sotw(stream))).toEqual(['nope 5 nothing of this type is served as "nope"', 'secret 5 not yours']);
    },
  );

  it('delta: beside removed_resources; Envoy, which has no use for it, is told those alone', () => {
    for (const [node, expected] of [
      [NODE, ['secret 5 not yours']],
      [ENVOY, []],
    ] as const) {
      const stream = scripted('delta', {}, because);
      stream.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ['secret'] });
      stream.take();
      expect(delta(stream).removedResources).toEqual(['secret']);
      expect(errorsOf(delta(stream))).toEqual(expected);
    }
  });

  it('no more than so many: a flood of names costs no more than its answer', () => {
    const stream = scripted('sotw', { namesPerStream: 5_000 }, because);
    stream.sotw({ node: NODE, typeUrl: EDS, resourceNames: Array.from({ length: 5_000 }, (_, index) => `n${index}`) });
    stream.take();
    expect(errorsOf(sotw(stream))).toHaveLength(1_000);
  });

  it('names that must wait are told nothing', () => {
    const stream = scripted('sotw', {}, because);
    stream.hold((name) => name === 'late');
    stream.sotw({ node: NODE, typeUrl: EDS, resourceNames: ['late', 'nope'] });
    expect(stream.take()).toEqual([]);
    stream.hold(undefined);
    stream.take();
    expect(errorsOf(sotw(stream))).toHaveLength(2);
  });
});
