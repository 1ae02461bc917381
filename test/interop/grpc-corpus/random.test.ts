import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arbitraryMesh, toYaml } from '../../../xds-server/src/translate/fixtures/arbitrary-mesh.ts';
import type { Peer } from '../grpc-peers/peer.ts';
import { PEER_KINDS, type PeerKind } from '../grpc-peers/peers.ts';
import { createIssuer, type Issuer } from './certificate-files.ts';
import { isHere, refusalsIn, startClient } from './clients.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

/** Meshes nobody would write: whatever the rules say to each other, no client refuses what we make of it. */

const COUNT = process.env.INMESH_INTEROP !== 'brief' ? 150 : 6;
const SEED = Number(process.env.INMESH_INTEROP_SEED ?? 1);
const NAMESPACES = ['shop', 'bank', 'default'] as const;
const TARGETS = ['a', 'b', 'c']
  .flatMap((name) => ['shop', 'bank'].map((namespace) => `${name}.${namespace}`))
  .flatMap((host) => [`${host}:80`, `${host}:9080`])
  .concat('api.example.com:80', 'a:80', 'b:9080');

const peers = new Map<PeerKind, Peer>();
let issuer: Issuer;
let plane: ControlPlane;

beforeAll(async () => {
  issuer = await createIssuer();
  plane = await startControlPlane();
  for (const [index, kind] of PEER_KINDS.entries()) {
    if (!isHere(kind)) continue;
    const namespace = NAMESPACES[(index + SEED) % NAMESPACES.length] ?? 'default';
    const files = await issuer.issue(kind);
    const locality = { region: 'eu', zone: 'a' };
    peers.set(kind, await startClient(kind, { xds: plane.xds, namespace, files, locality }));
  }
});

afterAll(async () => {
  for (const peer of peers.values()) await peer.stop();
  await plane.close();
  issuer.remove();
});

/** Asks for every host; what comes of the calls is nobody's business: nobody that we know listens there. But they end. */
async function askAll(peer: Peer): Promise<void> {
  for (const target of TARGETS) await peer.open(target, `xds:///${target}`, { credentials: 'xds' });
  await Promise.all(TARGETS.map((target) => peer.call(target, { deadlineMs: 1_500 })));
}

describe(`${COUNT} random meshes`, () => {
  const broken = new Map<PeerKind, string[]>(PEER_KINDS.map((kind) => [kind, []]));

  beforeAll(async () => {
    for (const [index, mesh] of fc.sample(arbitraryMesh, { numRuns: COUNT, seed: SEED }).entries()) {
      const told = plane.nacks.length;
      await plane.hold(toYaml(mesh));
      await Promise.all([...peers.values()].map(askAll));
      await plane.server.settled();
      for (const nack of plane.nacks.slice(told)) {
        const kind = PEER_KINDS.find((one) => nack.startsWith(one)) ?? 'grpc-go';
        broken.get(kind)?.push(`mesh ${index} of seed ${SEED}: ${nack}`);
      }
      for (const peer of peers.values()) for (const target of TARGETS) await peer.close(target);
    }
  }, 3_600_000);

  describe.each(PEER_KINDS)('%s', (kind) => {
    it.skipIf(!isHere(kind))('refuses nothing of them, and lives', () => {
      const peer = peers.get(kind);
      expect(broken.get(kind)).toEqual([]);
      expect(refusalsIn(kind, peer?.log() ?? '')).toEqual([]);
      expect(peer?.crash()).toBeUndefined();
    });
  });
});
