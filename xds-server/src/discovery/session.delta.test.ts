import { describe, expect, it } from 'vitest';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const LDS = LISTENER_TYPE;
const CDS = CLUSTER_TYPE;

/** A delta stream that holds listener `a`. */
function holding() {
  const stream = scripted('delta');
  stream.world.set(`${LDS}/a`, '1');
  stream.delta({ node: NODE, typeUrl: LDS, resourceNamesSubscribe: ['a'] });
  const [first] = stream.take();
  stream.delta({ typeUrl: LDS, responseNonce: first?.nonce ?? '' });
  return stream;
}

const status = (stream: ReturnType<typeof scripted>, type = LDS) => stream.session.statuses.get(type)?.kind;

describe('delta stream: requests', () => {
  it('answers every name of a request at once: what exists, and what does not as removed', () => {
    const stream = scripted('delta');
    stream.world.set(`${LDS}/a`, '1');
    stream.delta({ node: NODE, typeUrl: LDS, resourceNamesSubscribe: ['a', 'nope'] });
    expect(stream.take()).toMatchObject([{ type: LDS, resources: ['a=1'], removed: ['nope'], version: '1' }]);
  });

  it('answers a name that is subscribed again although nothing changed (xDS: delta re-subscription)', () => {
    const stream = holding();
    stream.delta({ typeUrl: LDS, resourceNamesSubscribe: ['a'] });
    expect(stream.take()).toMatchObject([{ resources: ['a=1'] }]);
  });

  it('says a second time that a name does not exist when it is asked again', () => {
    const stream = scripted('delta');
    for (let round = 0; round < 2; round++) {
      stream.delta({ node: NODE, typeUrl: LDS, resourceNamesSubscribe: ['nope'] });
      expect(stream.take()).toMatchObject([{ resources: [], removed: ['nope'] }]);
    }
  });

  it('sends only what differs from initial_resource_versions, and what is gone as removed', () => {
    const stream = scripted('delta');
    for (const name of ['same', 'changed']) stream.world.set(`${LDS}/${name}`, 'new');
    stream.delta({
      node: NODE,
      typeUrl: LDS,
      resourceNamesSubscribe: ['same', 'changed', 'gone'],
      initialResourceVersions: { same: 'v:new', changed: 'v:old', gone: 'v:old', unasked: 'v:old' },
    });
    expect(stream.take()).toMatchObject([{ resources: ['changed=new'], removed: ['gone'] }]);
  });

  it('answers nothing to a request that asks for nothing', () => {
    const stream = holding();
    stream.delta({ node: NODE, typeUrl: LDS });
    stream.delta({ typeUrl: CDS });
    expect(stream.take()).toEqual([]);
  });

  it('takes an unsubscribed stream for nothing, never for everything', () => {
    const stream = holding();
    stream.delta({ typeUrl: LDS, resourceNamesUnsubscribe: ['a'] });
    stream.change({ [`${LDS}/a`]: '2', [`${LDS}/b`]: '1' });
    expect(stream.take()).toEqual([]);
    expect(stream.session.names.get(LDS)).toEqual([]);
  });

  it('refuses a wildcard and says so; names beside it are served', () => {
    const stream = scripted('delta');
    stream.world.set(`${LDS}/a`, '1');
    stream.delta({ node: NODE, typeUrl: LDS, resourceNamesSubscribe: ['*', 'a'] });
    expect(stream.take()).toMatchObject([{ resources: ['a=1'], removed: [] }]);
    expect(stream.warnings).toEqual([`web-1: ${LDS}: asks for "*", only names are served`]);
  });

  it('refuses names beyond the limit of a stream and says so', () => {
    const stream = scripted('delta', { namesPerStream: 2 });
    stream.delta({ node: NODE, typeUrl: LDS, resourceNamesSubscribe: ['a', 'b', 'c', 'a'] });
    expect(stream.session.names.get(LDS)).toEqual(['a', 'b']);
    expect(stream.warnings).toEqual([`web-1: ${LDS}: 1 names refused, a stream may hold 2`]);
  });

  it('ends a stream whose first request has no node, or that cannot be read (INVALID_ARGUMENT)', () => {
    const nameless = scripted('delta');
    nameless.delta({ typeUrl: LDS, resourceNamesSubscribe: ['a'] });
    expect(nameless.ended()).toEqual({ code: 3, message: 'the first request of a stream must carry its node' });
    const garbage = scripted('delta');
    garbage.session.receive(Uint8Array.of(0xff, 0xff));
    expect(garbage.ended()?.code).toBe(3);
    expect(garbage.take()).toEqual([]);
  });

  it('serves a type it has never heard of as one whose every name does not exist', () => {
    const stream = scripted('delta');
    stream.delta({ node: NODE, typeUrl: 'type.googleapis.com/x.Y', resourceNamesSubscribe: ['a'] });
    expect(stream.take()).toMatchObject([{ type: 'type.googleapis.com/x.Y', removed: ['a'] }]);
  });
});

describe('delta stream: pushes', () => {
  it('sends what changed, once, with the revision it is of', () => {
    const stream = holding();
    stream.change({ [`${LDS}/a`]: '2', [`${LDS}/other`]: '1' });
    expect(stream.take()).toMatchObject([{ resources: ['a=2'], removed: [], version: '2' }]);
    stream.change({});
    expect(stream.take()).toEqual([]);
  });

  it('says once that a resource is gone, and sends it when it comes back', () => {
    const stream = holding();
    stream.change({ [`${LDS}/a`]: undefined });
    expect(stream.take()).toMatchObject([{ resources: [], removed: ['a'] }]);
    stream.change({});
    expect(stream.take()).toEqual([]);
    stream.change({ [`${LDS}/a`]: '1' });
    expect(stream.take()).toMatchObject([{ resources: ['a=1'] }]);
  });

  it('makes before it breaks: clusters, endpoints, listeners, routes, and last the clusters that are gone', () => {
    const stream = scripted('delta');
    const types = [ROUTE_TYPE, LDS, ENDPOINT_TYPE, CDS];
    stream.world.set(`${CDS}/old`, '1');
    stream.world.set(`${ENDPOINT_TYPE}/old`, '1');
    for (const typeUrl of types) {
      stream.world.set(`${typeUrl}/a`, '1');
      stream.delta({ node: NODE, typeUrl, resourceNamesSubscribe: ['a', 'old'] });
    }
    stream.take();
    stream.change({
      [`${CDS}/old`]: undefined,
      [`${ENDPOINT_TYPE}/old`]: undefined,
      ...Object.fromEntries(types.map((type) => [`${type}/a`, '2'])),
    });
    expect(stream.take()).toMatchObject([
      { type: CDS, resources: ['a=2'], removed: [] },
      { type: ENDPOINT_TYPE, resources: ['a=2'], removed: [] },
      { type: LDS, resources: ['a=2'] },
      { type: ROUTE_TYPE, resources: ['a=2'] },
      { type: CDS, resources: [], removed: ['old'] },
      { type: ENDPOINT_TYPE, resources: [], removed: ['old'] },
    ]);
  });

  it('tells a slow stream only the newest, once it has caught up', () => {
    const stream = holding();
    stream.slow(true);
    stream.change({ [`${LDS}/a`]: '2' });
    expect(stream.take()).toMatchObject([{ resources: ['a=2'] }]);
    stream.change({ [`${LDS}/a`]: '3' });
    expect(stream.take()).toEqual([]);
    stream.change({ [`${LDS}/a`]: '4' });
    expect(stream.take()).toEqual([]);
    stream.slow(false);
    expect(stream.take()).toMatchObject([{ resources: ['a=4'] }]);
  });

  it('asks its resources anew when the node comes again: it may be another view', () => {
    const stream = holding();
    stream.world.set(`${LDS}/a`, '2');
    stream.delta({ node: { ...NODE, metadata: { LABELS: { app: 'web' } } }, typeUrl: LDS });
    expect(stream.take()).toMatchObject([{ resources: ['a=2'] }]);
    expect(stream.identities.map(({ view }) => [...view.labels])).toEqual([[], [['app', 'web']]]);
  });
});

describe('delta stream: the ACK and NACK book', () => {
  it('is STALE until the last response is answered, then SYNCED', () => {
    const stream = holding();
    expect(status(stream)).toBe('SYNCED');
    stream.change({ [`${LDS}/a`]: '2' });
    expect(stream.session.isSettled).toBe(false);
    const [push] = stream.take();
    expect(status(stream)).toBe('STALE');
    stream.delta({ typeUrl: LDS, responseNonce: push?.nonce ?? '' });
    expect(status(stream)).toBe('SYNCED');
    expect(stream.session.isSettled).toBe(true);
  });

  it('keeps the reason of a NACK with the version refused and the one in use, and does not repeat the bad one', () => {
    const stream = holding();
    stream.change({ [`${LDS}/a`]: 'bad' });
    const [push] = stream.take();
    stream.delta({ typeUrl: LDS, responseNonce: push?.nonce ?? '', errorDetail: { message: 'a: no' } });
    expect(stream.session.statuses.get(LDS)).toEqual({
      kind: 'NACK',
      version: '2',
      reason: 'a: no',
      acknowledged: '1',
    });
    stream.change({});
    expect(stream.take()).toEqual([]);
    stream.change({ [`${LDS}/a`]: 'good' });
    expect(stream.take()).toMatchObject([{ resources: ['a=good'] }]);
  });

  it('ignores the answer to a response that a newer one has overtaken', () => {
    const stream = holding();
    stream.change({ [`${LDS}/a`]: '2' });
    const [second] = stream.take();
    stream.change({ [`${LDS}/a`]: '3' });
    stream.take();
    stream.delta({ typeUrl: LDS, responseNonce: second?.nonce ?? '', errorDetail: { message: 'late' } });
    expect(status(stream)).toBe('STALE');
  });

  it('takes the lists of a request with an overtaken nonce: nobody repeats them', () => {
    const stream = holding();
    stream.world.set(`${LDS}/b`, '1');
    stream.delta({ typeUrl: LDS, responseNonce: 'long-gone', resourceNamesSubscribe: ['b'] });
    expect(stream.take()).toMatchObject([{ resources: ['b=1'] }]);
  });

  it('keeps a book for each type', () => {
    const stream = holding();
    stream.delta({ typeUrl: CDS, resourceNamesSubscribe: ['c'] });
    stream.take();
    expect([status(stream, LDS), status(stream, CDS)]).toEqual(['SYNCED', 'STALE']);
  });
});
