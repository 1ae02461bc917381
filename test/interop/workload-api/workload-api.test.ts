import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../../sdk/src/clock.ts';
import type { MeshError } from '../../../sdk/src/errors.ts';
import { createIdentity, type LiveIdentity } from '../../../sdk/src/identity/live-identity.ts';
import { refusalOf } from '../../../sdk/src/identity/refusal.ts';
import { NO_SECRETS } from '../../../sdk/src/identity/secrets.ts';
import { createWorkloadApiSource } from '../../../sdk/src/identity/sources/workload-api.ts';
import { createTlsContexts } from '../../../sdk/src/identity/tls-contexts.ts';
import { MESH_CLIENT, MESH_SERVER, openTlsClient, openTlsPort } from '../../../sdk/src/identity/tls-pair.fixture.ts';
import { buildPeer, type Peer, startPeer } from './peer.ts';

const REVIEWS = 'spiffe://spiffe.test/ns/default/sa/reviews';
const binary = buildPeer();

describe.skipIf(binary === undefined)(
  'a SPIFFE agent by go-spiffe (skipped where Go or its modules are not to be had)',
  () => {
    let peer: Peer;
    let identity: LiveIdentity;
    const events: string[] = [];
    const ends: (() => unknown)[] = [];

    beforeAll(async () => {
      peer = await startPeer(binary ?? '');
      identity = follow(peer.socket);
    });

    afterEach(async () => {
      for (const end of ends.splice(0)) await end();
    });

    afterAll(() => {
      identity?.close();
      peer?.stop();
    });

    function follow(address: string): LiveIdentity {
      return createIdentity({
        source: createWorkloadApiSource({ address, clock: systemClock, random: systemRandom }),
        clock: systemClock,
        emit: (event) => void events.push(event.kind),
      });
    }

    /** The first state for which it holds. */
    const until = (holds: (state: NonNullable<ReturnType<LiveIdentity['current']>>) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (): boolean => {
          const state = identity.current();
          return state !== undefined && holds(state);
        };
        if (look()) return resolve();
        const stop = identity.onChange(() => {
          if (!look()) return;
          stop();
          resolve();
        });
      });

    it('gives this process a certificate, its key and the roots', async () => {
      const state = await identity.ready(30_000);
      expect(state.svid.id).toMatchObject({
        uri: REVIEWS,
        workload: { namespace: 'default', serviceAccount: 'reviews' },
      });
      expect(state.bundles.trustDomains).toEqual(['spiffe.test']);
      expect(state.bundles.of('spiffe.test')).toHaveLength(1);
      expect(state.bundles.revoked).toHaveLength(1);
    });

    it('with which a server of go-spiffe takes us, and we take it', async () => {
      const contexts = createTlsContexts(identity, NO_SECRETS);
      const expected = { ...MESH_CLIENT, subjectAltNames: [{ type: 'uri', kind: 'exact', value: REVIEWS } as const] };
      const { seen, heard, socket } = await openTlsClient(contexts, expected, peer.port);
      expect(seen).toMatchObject({ peer: { uri: REVIEWS } });
      expect(await heard).toBe(`hello ${REVIEWS}`);
      expect(await peer.next('accepted')).toMatchObject({ id: REVIEWS });
      socket.destroy();
      const other = { ...MESH_CLIENT, subjectAltNames: [{ kind: 'exact', value: `${REVIEWS}2` } as const] };
      const refused = await openTlsClient(contexts, other, peer.port);
      expect(refusalOf(refused.seen)?.refused).toBe('wrong-name');
    });

    it('with which we take a client of go-spiffe, over its intermediate, and it takes us', async () => {
      const port = await openTlsPort(identity, MESH_SERVER);
      ends.push(() => port.close());
      await peer.tell(`dial ${port.port} ${REVIEWS}`);
      const client = await port.next();
      expect(client).toMatchObject({ peer: { uri: REVIEWS } });
      if ('presented' in client) expect(client.presented.length).toBeGreaterThanOrEqual(2);
      expect(await peer.next('dialled')).toMatchObject({ heard: 'hello' });
    });

    it('is refused by a client of go-spiffe that expects somebody else', async () => {
      const port = await openTlsPort(identity, MESH_SERVER);
      ends.push(() => port.close());
      await peer.tell(`dial ${port.port} ${REVIEWS}-v2`);
      expect((await peer.next('dialled')).error).toContain('unexpected ID');
    });

    it('follows a new certificate, for another id as well', async () => {
      const before = identity.current()?.generation ?? 0;
      await peer.tell('issue spiffe://spiffe.test/ns/default/sa/ratings 3600');
      await until(({ svid }) => svid.id.uri.endsWith('/ratings'));
      expect(identity.current()?.generation).toBeGreaterThan(before);
      await peer.tell(`issue ${REVIEWS} 3600`);
      await until(({ svid }) => svid.id.uri === REVIEWS);
    });

    it('follows a new root while both count, and forgets the old one with it', async () => {
      const contexts = createTlsContexts(identity, NO_SECRETS);
      await peer.tell('roots');
      await until(({ bundles }) => bundles.of('spiffe.test')?.length === 2);
      const { heard, socket } = await openTlsClient(contexts, MESH_CLIENT, peer.port);
      expect(await heard).toBe(`hello ${REVIEWS}`);
      socket.destroy();
      await peer.tell('forget');
      await until(({ bundles }) => bundles.of('spiffe.test')?.length === 1);
      const after = await openTlsClient(contexts, MESH_CLIENT, peer.port);
      expect(await after.heard).toBe(`hello ${REVIEWS}`);
      after.socket.destroy();
    });

    it('learns the roots of federated trust domains', async () => {
      await peer.tell('federate partner.test');
      await until(({ bundles }) => bundles.trustDomains.includes('partner.test'));
      expect(identity.current()?.bundles.of('partner.test')).toHaveLength(1);
    });

    it('refuses a peer that the list of revoked certificates names', async () => {
      const contexts = createTlsContexts(identity, NO_SECRETS);
      const { revoked: listed } = identity.current()?.bundles ?? {};
      await peer.tell('revoke');
      await until(({ bundles }) => bundles.revoked.join() !== listed?.join());
      const { seen } = await openTlsClient(contexts, MESH_CLIENT, peer.port);
      expect(refusalOf(seen)?.refused).toBe('revoked');
      const serial = identity.current()?.svid.serialNumber;
      await peer.tell(`issue ${REVIEWS} 3600`);
      await until(({ svid }) => svid.serialNumber !== serial);
    });

    it('connects again when the agent ends the stream, and keeps what it has until then', async () => {
      const state = identity.current();
      await peer.tell('drop');
      expect(identity.current()).toBe(state);
      await peer.tell(`issue ${REVIEWS} 1800`);
      await until(({ svid }) => svid.serialNumber !== state?.svid.serialNumber);
    });

    it('says that nobody has registered the process', async () => {
      const other = await startPeer(binary ?? '');
      ends.push(() => other.stop());
      await other.tell('deny');
      const stranger = follow(other.socket);
      ends.push(() => stranger.close());
      stranger.start();
      const error = (await stranger.ready(2_000).catch((reason: unknown) => reason)) as MeshError;
      expect(error.code).toBe('MESH_IDENTITY_UNAVAILABLE');
      expect(error.message).toContain('no identity');
    });

    it('reaches an agent over TCP', async () => {
      const path = peer.socket.replace('unix://', '');
      const proxy = net.createServer((raw) => {
        const agent = net.connect(path);
        for (const end of [raw, agent]) end.on('error', () => {});
        raw.pipe(agent).pipe(raw);
      });
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      const { port } = proxy.address() as AddressInfo;
      const overTcp = follow(`tcp://127.0.0.1:${port}`);
      ends.push(
        () => proxy.close(),
        () => overTcp.close(),
      );
      expect((await overTcp.ready(30_000)).svid.id.uri).toBe(REVIEWS);
    });
  },
);
