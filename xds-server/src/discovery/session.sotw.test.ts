import { describe, expect, it } from 'vitest';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const LDS = LISTENER_TYPE;
const CDS = CLUSTER_TYPE;
const EDS = ENDPOINT_TYPE;

type Stream = ReturnType<typeof scripted>;

/** What a client says to the last response it heard. */
function answer(stream: Stream, typeUrl: string, names: readonly string[], refusal?: string): void {
  const last = stream
    .take()
    .filter(({ type }) => type === typeUrl)
    .at(-1);
  stream.sotw({
    typeUrl,
    resourceNames: [...names],
    responseNonce: last?.nonce ?? '',
    versionInfo: refusal === undefined ? (last?.version ?? '') : '',
    ...(refusal !== undefined && { errorDetail: { message: refusal } }),
  });
}

/** A stream that holds `a` and `b` of a type. */
function holding(typeUrl: string): Stream & { lastNonce: string } {
  const stream = scripted('sotw');
  stream.world.set(`${typeUrl}/a`, 'a1').set(`${typeUrl}/b`, 'b1');
  stream.sotw({ node: NODE, typeUrl, resourceNames: ['a', 'b'] });
  const [first] = stream.take();
  const lastNonce = first?.nonce ?? '';
  stream.sotw({ typeUrl, resourceNames: ['a', 'b'], responseNonce: lastNonce, versionInfo: first?.version ?? '' });
  return { ...stream, lastNonce };
}

describe('state of the world: requests', () => {
  it.each([LDS, CDS, EDS, ROUTE_TYPE])(
    'answers at once even if nothing asked for exists, with an empty list (%s)',
    (typeUrl) => {
      const stream = scripted('sotw');
      stream.sotw({ node: NODE, typeUrl, resourceNames: ['nope'] });
      expect(stream.take()).toMatchObject([{ type: typeUrl, resources: [] }]);
    },
  );

  it('says nothing to an ACK', () => {
    expect(holding(LDS).take()).toEqual([]);
  });

  it('answers an added name although the version is unchanged: LDS whole, EDS with what is new', () => {
    for (const [typeUrl, expected] of [
      [LDS, ['a1', 'b1', 'c1']],
      [EDS, ['c1']],
    ] as const) {
      const stream = holding(typeUrl);
      stream.world.set(`${typeUrl}/c`, 'c1');
      stream.sotw({ typeUrl, resourceNames: ['a', 'b', 'c'], responseNonce: stream.lastNonce, versionInfo: '1' });
      expect(stream.take()).toMatchObject([{ resources: expected }]);
    }
  });

  it('answers a name that was dropped and comes again although it is unchanged', () => {
    const stream = holding(EDS);
    stream.sotw({ typeUrl: EDS, resourceNames: ['a'], responseNonce: stream.lastNonce, versionInfo: '1' });
    expect(stream.take()).toEqual([]);
    stream.sotw({ typeUrl: EDS, resourceNames: ['a', 'b'], responseNonce: stream.lastNonce, versionInfo: '1' });
    expect(stream.take()).toMatchObject([{ resources: ['b1'] }]);
  });

  it('takes an empty list for nothing once a type has had names (C-core and Node unsubscribe that way)', () => {
    const stream = holding(EDS);
    stream.sotw({ typeUrl: EDS, resourceNames: [], responseNonce: stream.lastNonce, versionInfo: '1' });
    stream.change({ [`${EDS}/a`]: 'a2' });
    expect(stream.take()).toEqual([]);
    expect(stream.warnings).toEqual([]);
  });

  it('answers a wildcard with nothing and says so', () => {
    const stream = scripted('sotw');
    stream.world.set(`${CDS}/a`, '1');
    stream.sotw({ node: NODE, typeUrl: CDS });
    expect(stream.take()).toMatchObject([{ type: CDS, resources: [] }]);
    expect(stream.warnings).toEqual([`web-1: ${CDS}: asks for everything, only names are served`]);
  });

  it('says nothing to a request that only repeats the node', () => {
    const stream = scripted('sotw');
    stream.sotw({ node: NODE, typeUrl: 'type.googleapis.com/inmesh.v1.RouteSources' });
    expect(stream.take()).toEqual([]);
    expect(stream.identities).toHaveLength(1);
  });

  it('ignores a request with an overtaken nonce, its names too: the client repeats them with the newer one', () => {
    const stream = holding(LDS);
    stream.change({ [`${LDS}/a`]: 'a2' });
    stream.take();
    stream.sotw({ typeUrl: LDS, resourceNames: ['c'], responseNonce: stream.lastNonce, versionInfo: '1' });
    expect(stream.session.names.get(LDS)).toEqual(['a', 'b']);
    expect(stream.session.statuses.get(LDS)?.kind).toBe('STALE');
  });

  it('takes names that crossed the first response: the client had no nonce yet', () => {
    const stream = scripted('sotw');
    stream.world.set(`${LDS}/a`, 'a1').set(`${LDS}/b`, 'b1');
    stream.sotw({ node: NODE, typeUrl: LDS, resourceNames: ['a'] });
    stream.take();
    stream.sotw({ typeUrl: LDS, resourceNames: ['a', 'b'] });
    expect(stream.take()).toMatchObject([{ resources: ['a1', 'b1'] }]);
  });

  it('refuses names beyond the limit of a stream', () => {
    const stream = scripted('sotw', { namesPerStream: 1 });
    stream.sotw({ node: NODE, typeUrl: LDS, resourceNames: ['a', 'b'] });
    expect(stream.session.names.get(LDS)).toEqual(['a']);
    expect(stream.warnings).toHaveLength(1);
  });
});

describe('state of the world: pushes', () => {
  it('sends LDS and CDS whole, EDS and RDS only what changed', () => {
    for (const [typeUrl, expected] of [
      [LDS, ['a2', 'b1']],
      [CDS, ['a2', 'b1']],
      [EDS, ['a2']],
      [ROUTE_TYPE, ['a2']],
    ] as const) {
      const stream = holding(typeUrl);
      stream.change({ [`${typeUrl}/a`]: 'a2' });
      expect(stream.take()).toMatchObject([{ resources: expected, version: '2' }]);
    }
  });

  it('deletes by absence in LDS and CDS, and not at all in EDS and RDS', () => {
    for (const [typeUrl, expected] of [
      [LDS, [{ resources: ['b1'] }]],
      [CDS, [{ resources: ['b1'] }]],
      [EDS, []],
      [ROUTE_TYPE, []],
    ] as const) {
      const stream = holding(typeUrl);
      stream.change({ [`${typeUrl}/a`]: undefined });
      expect(stream.take()).toMatchObject(expected);
      stream.change({});
      expect(stream.take()).toEqual([]);
    }
  });

  it('makes before it breaks: a cluster that is gone stays in the list until the routes are out', () => {
    const stream = holding(CDS);
    stream.world.set(`${ROUTE_TYPE}/r`, 'to a');
    stream.sotw({ typeUrl: ROUTE_TYPE, resourceNames: ['r'] });
    stream.take();
    stream.change({ [`${CDS}/a`]: undefined, [`${CDS}/b`]: 'b2', [`${ROUTE_TYPE}/r`]: 'to b' });
    expect(stream.take()).toMatchObject([
      { type: CDS, resources: ['b2', 'a1'] },
      { type: ROUTE_TYPE, resources: ['to b'] },
      { type: CDS, resources: ['b2'] },
    ]);
  });
});

describe('state of the world: the ACK and NACK book', () => {
  it('keeps the reason of a NACK and the version in use', () => {
    const stream = holding(LDS);
    stream.change({ [`${LDS}/a`]: 'bad' });
    answer(stream, LDS, ['a', 'b'], 'a: no');
    expect(stream.session.statuses.get(LDS)).toEqual({
      kind: 'NACK',
      version: '2',
      reason: 'a: no',
      acknowledged: '1',
    });
    stream.change({ [`${LDS}/a`]: 'good' });
    answer(stream, LDS, ['a', 'b']);
    expect(stream.session.statuses.get(LDS)).toEqual({ kind: 'SYNCED', version: '3' });
  });

  it('takes no change of mind for an ACK: with the last nonce and an older version the response is still unread', () => {
    const stream = holding(EDS);
    stream.change({ [`${EDS}/a`]: 'a2' });
    const [push] = stream.take();
    stream.sotw({ typeUrl: EDS, resourceNames: ['a', 'b', 'c'], responseNonce: push?.nonce ?? '', versionInfo: '1' });
    expect(stream.session.statuses.get(EDS)?.kind).toBe('STALE');
    expect(stream.session.names.get(EDS)).toEqual(['a', 'b', 'c']);
  });
});
