import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../grpc-peers/backend.ts';
import type { Peer } from '../grpc-peers/peer.ts';
import { PEER_KINDS, type PeerKind } from '../grpc-peers/peers.ts';
import { ask, placed, startBackends } from './calls.ts';
import { createIssuer, type Issuer } from './certificate-files.ts';
import { isHere, refusalsIn, startClient } from './clients.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import type { Ask } from './features/feature.ts';
import { FILES, targetsOf, workloads } from './files.ts';

const BEHIND = workloads({
  catalog: ['one', 'two', 'three'],
  stock: ['one'],
  productpage: ['v1'],
  details: ['v1'],
  reviews: ['v1', 'v2', 'v3'],
  ratings: ['v1'],
});

const jason = { headers: { 'end-user': 'jason' } };
const catalog = (want: string, more: Partial<Ask> = {}): Ask => ({ target: 'catalog:9080', count: 60, ...more, want });
const reviews = (want: string, more: Partial<Ask> = {}): Ask => ({ target: 'reviews:9080', count: 20, ...more, want });
const ratings = (want: string, more: Partial<Ask> = {}): Ask => ({ target: 'ratings:9080', ...more, want });

/** What calls come to under a file. */
const ASKS: Readonly<Record<string, readonly Ask[]>> = {
  '01-two-of-three-versions': [catalog('v1|v3')],
  '02-two-services': [catalog('v1|v3')],
  '05-one-user-sees-the-next-version': [
    catalog('v2', { headers: { 'x-tester': 'amira' } }),
    catalog('v1|v3', { count: 250, parallel: 5 }),
  ],
  '06-limits-and-ejection': [catalog('v1|v2|v3')],
  '14-breaker': [catalog('v1|v2|v3')],
  'bookinfo all-v1': [reviews('v1')],
  'bookinfo jason-v2': [reviews('v1'), reviews('v2', jason)],
  'bookinfo abort-500-jason': [ratings('v1'), ratings('!UNKNOWN', jason)],
  'bookinfo v1-v2-80-20': [reviews('v1|v2', { count: 120 })],
  'bookinfo v1-v2-90-10': [reviews('v1|v2', { count: 250, parallel: 5 })],
  'bookinfo v1-v3-50-50': [reviews('v1|v3', { count: 60 })],
  'bookinfo reviews': [reviews('v1|v3', { count: 60 }), reviews('v2', jason)],
  'bookinfo mirror-v2': [reviews('v1')],
  'bookinfo query-match': [reviews('v1')],
  'bookinfo regex-match': [
    reviews('v1'),
    reviews('v2', { method: '/reviews/7', headers: { 'end-user': 'a@inmesh.org' } }),
    reviews('v1', { method: '/reviews/7', headers: { 'end-user': 'a@inmesh.org.example' } }),
  ],
  'bookinfo timeout-500ms': [reviews('v2')],
};

const peers = new Map<PeerKind, Peer>();
let backends: readonly Backend[] = [];
let issuer: Issuer;
let plane: ControlPlane;

beforeAll(async () => {
  issuer = await createIssuer();
  backends = await startBackends(issuer);
  plane = await startControlPlane();
  for (const kind of PEER_KINDS.filter(isHere))
    peers.set(kind, await startClient(kind, { xds: plane.xds, files: await issuer.issue(kind) }));
});

afterAll(async () => {
  for (const peer of peers.values()) await peer.stop();
  await plane.close();
  for (const backend of backends) await backend.close();
  issuer.remove();
});

/** Asks for a host; what comes of the call is the business of the few that say so. */
async function touch(peer: Peer, target: string): Promise<void> {
  await peer.open(target, `xds:///${target}`, { credentials: 'xds' });
  await peer.call(target, { deadlineMs: 1_500 });
  await peer.close(target);
}

it('every expectation is of a file that is there', () => {
  expect(Object.keys(ASKS).filter((name) => !FILES.some((file) => file.name === name))).toEqual([]);
});

describe.each(FILES)('$name', (file) => {
  beforeAll(() => plane.hold(`${placed(BEHIND, backends)}\n---\n${file.yaml}`));

  it.each(PEER_KINDS.filter(isHere))('%s refuses nothing of it and calls where it says', async (kind) => {
    const peer = peers.get(kind);
    if (peer === undefined) throw new Error('it is not here');
    await Promise.all(targetsOf(file).map((target) => touch(peer, target)));
    for (const one of ASKS[file.name] ?? []) await ask(kind, peer, one);
    await plane.server.settled();
    expect(plane.nacks.filter((nack) => nack.startsWith(kind))).toEqual([]);
    expect(refusalsIn(kind, peer.log())).toEqual([]);
    expect(peer.crash()).toBeUndefined();
  });
});
