import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  createTestCa,
  type TestCa,
  type TestCertificate,
} from '../../../test/harness/certificates.ts';
import { createBundles } from './bundles.ts';
import { factsOf } from './certificate.ts';
import { verifyPeer } from './verify-peer.ts';

const NOW = Date.now();
const HOUR = 3_600_000;
const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';

let root: TestCa;

beforeAll(async () => {
  root = await createTestCa({ subject: 'CN=root' });
});

const verify = (presented: readonly X509Certificate[], purpose: 'server' | 'client' = 'server') =>
  verifyPeer({
    presented,
    bundles: createBundles([['cluster.local', [root.pem]]]),
    trustDomains: ['cluster.local'],
    expected: [],
    purpose,
    nowMs: NOW,
  });

/** Whether OpenSSL, in a client that asks for no name, takes the chain; undefined: there was no handshake at all. */
async function openSslTakes({ pem, keyPem }: TestCertificate): Promise<string | undefined> {
  const server = tls.createServer({ cert: pem, key: keyPem }, (socket) => socket.on('error', () => {}).end());
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', ca: root.pem, checkServerIdentity: () => undefined });
  const result = await new Promise<string | undefined>((resolve) => {
    socket.once('secureConnect', () => resolve(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  socket.destroy();
  server.close();
  return result;
}

const usually = <T>(good: T, ...bad: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const intermediate = fc.record(
  {
    subject: fc.constantFrom('CN=a', 'CN=b'),
    isCa: usually(true, false),
    pathLength: usually<number>(2, 0, 1),
    keyUsage: usually(32 | 64, 1, 32, 1 | 32),
    notAfterMs: usually(NOW + HOUR, NOW - HOUR / 2),
    notBeforeMs: usually(NOW - HOUR, NOW + HOUR / 2),
    uses: usually<CertificateOptions['uses']>([], ['server'], ['client']),
  },
  { requiredKeys: ['subject', 'isCa', 'keyUsage', 'uses'] },
);

// One that is issued by its own name is, to OpenSSL, signed by itself.
const chain = fc.uniqueArray(intermediate, { maxLength: 2, selector: ({ subject }) => subject });

const leaf = fc.record(
  {
    keyUsage: usually(1, 4, 1 | 4),
    notAfterMs: usually(NOW + HOUR, NOW - HOUR / 2),
    uses: usually<CertificateOptions['uses']>(['server', 'client'], ['client'], []),
  },
  { requiredKeys: [] },
);

/** Where we ask for more than OpenSSL does: a leaf of the mesh signs its handshakes (X.509-SVID §4.3). */
const STRICTER = /digitalSignature/;

describe('verifyPeer and OpenSSL', () => {
  it('take the same chains; where they differ it is because we ask for more', async () => {
    const outcomes = { both: 0, neither: 0 };
    await fc.assert(
      fc.asyncProperty(chain, leaf, async (middle, options) => {
        let ca = root;
        for (const one of middle) {
          // Undefined where the record leaves it out.
          ca = await ca.intermediate(one as CertificateOptions);
        }
        const made = await ca.issue({ ...(options as CertificateOptions), uris: [REVIEWS] });
        const theirs = await openSslTakes(made);
        const ours = verify(made.presented);
        if ('id' in ours) expect(theirs).toBeUndefined();
        else if (theirs === undefined) expect(ours.message).toMatch(STRICTER);
        outcomes['id' in ours ? 'both' : 'neither'] += 1;
      }),
      { numRuns: 80 },
    );
    expect(outcomes.both).toBeGreaterThan(0);
    expect(outcomes.neither).toBeGreaterThan(0);
  }, 60_000);
});

describe('bytes of any kind', () => {
  it('no certificate with a byte changed is taken, and none makes verification throw', async () => {
    const { certificate } = await root.issue({ uris: [REVIEWS], dns: ['reviews.test'] });
    expect(verify([certificate])).toHaveProperty('id');
    const { raw } = certificate;
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(raw);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        let changed: X509Certificate;
        try {
          changed = new X509Certificate(bytes);
        } catch {
          return;
        }
        factsOf(changed);
        // A byte of the padding between DER and its signature may be read as the same certificate.
        if (changed.raw.equals(raw)) return;
        expect(verify([changed])).toHaveProperty('refused');
      }),
      { numRuns: 1_500 },
    );
  });
});
