import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../../sdk/src/clock.ts';
import type { IdentityState } from '../../../sdk/src/identity/identity.ts';
import { createIdentity, type LiveIdentity } from '../../../sdk/src/identity/live-identity.ts';
import { NO_SECRETS } from '../../../sdk/src/identity/secrets.ts';
import { createWorkloadApiSource } from '../../../sdk/src/identity/sources/workload-api.ts';
import { createTlsContexts } from '../../../sdk/src/identity/tls-contexts.ts';
import { MESH_CLIENT, MESH_SERVER, openTlsClient, openTlsPort } from '../../../sdk/src/identity/tls-pair.fixture.ts';
import { createTestCa } from '../../harness/certificates.ts';
import { findSpire, register, type Spire, startSpire, TRUST_DOMAIN } from './spire.ts';

const REVIEWS = `spiffe://${TRUST_DOMAIN}/ns/default/sa/reviews`;
const binaries = findSpire();

describe.skipIf(binaries === undefined)(
  'SPIRE (skipped unless INMESH_SPIRE names the folder of its two binaries)',
  () => {
    let spire: Spire;
    let identity: LiveIdentity;

    beforeAll(async () => {
      spire = await startSpire(binaries ?? '');
      const source = createWorkloadApiSource({ address: spire.socket, clock: systemClock, random: systemRandom });
      identity = createIdentity({ source, clock: systemClock, emit: () => {} });
      identity.start();
    });

    afterAll(async () => {
      identity?.close();
      await spire?.stop();
    });

    const until = (holds: (state: IdentityState) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (state: IdentityState | undefined): boolean => state !== undefined && holds(state);
        if (look(identity.current())) return resolve();
        const stop = identity.onChange((state) => {
          if (!look(state)) return;
          stop();
          resolve();
        });
      });

    it('gives us nothing before we are registered, and our certificate after', async () => {
      expect(identity.current()).toBeUndefined();
      register(spire, REVIEWS, 12);
      await until(({ svid }) => svid.id.uri === REVIEWS);
      expect(identity.current()?.bundles.trustDomains).toEqual([TRUST_DOMAIN]);
    });

    it('vouches for both ends of a connection', async () => {
      const port = await openTlsPort(identity, MESH_SERVER);
      const { seen, heard, socket } = await openTlsClient(
        createTlsContexts(identity, NO_SECRETS),
        MESH_CLIENT,
        port.port,
      );
      expect(seen).toMatchObject({ peer: { uri: REVIEWS } });
      expect(await port.next()).toMatchObject({ peer: { uri: REVIEWS } });
      expect(await heard).toBe('hello');
      socket.destroy();
      await port.close();
    });

    it('sends a new certificate before the old one ends, and connections go on', async () => {
      const port = await openTlsPort(identity, MESH_SERVER);
      const contexts = createTlsContexts(identity, NO_SECRETS);
      const first = identity.current()?.svid.serialNumber;
      await until(({ svid }) => svid.serialNumber !== first);
      const { heard, socket } = await openTlsClient(contexts, MESH_CLIENT, port.port);
      expect(await heard).toBe('hello');
      socket.destroy();
      await port.close();
    });

    it('tells the roots of a federated trust domain', async () => {
      const partner = await createTestCa({ subject: 'CN=partner', uris: ['spiffe://partner.test'] });
      const { writeFileSync, rmSync } = await import('node:fs');
      const file = `${spire.socket.replace('unix://', '')}.partner.pem`;
      writeFileSync(file, partner.pem);
      spire.server('bundle', 'set', '-id', 'spiffe://partner.test', '-path', file);
      register(spire, `${REVIEWS}-federated`, 600, '-federatesWith', 'spiffe://partner.test');
      await until(({ bundles }) => bundles.trustDomains.includes('partner.test'));
      rmSync(file);
    });
  },
);
