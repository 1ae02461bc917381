import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  createTestCa,
  extension,
  secondNames,
  selfSigned,
  type TestCa,
  type TestCertificate,
} from '../../../test/harness/certificates.ts';
import type { NameMatch } from '../model/tls.ts';
import { createBundles } from './bundles.ts';
import type { TrustBundles } from './identity.ts';
import { type PeerTerms, type VerifiedPeer, verifyPeer } from './verify-peer.ts';

const NOW = Date.now();
const HOUR = 3_600_000;
const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';
const exactly = (value: string): NameMatch => ({ type: 'uri', kind: 'exact', value });

let root: TestCa;
let foreign: TestCa;
let federated: TestCa;
let bundles: TrustBundles;

beforeAll(async () => {
  [root, foreign, federated] = await Promise.all([
    createTestCa({ subject: 'CN=root' }),
    createTestCa({ subject: 'CN=root' }),
    createTestCa({ subject: 'CN=federated root' }),
  ]);
  bundles = createBundles([
    ['cluster.local', [root.pem]],
    ['partner.test', [federated.pem]],
  ]);
});

const issue = (options: CertificateOptions = {}): Promise<TestCertificate> =>
  root.issue({ uris: [REVIEWS], ...options });

function verify({ presented }: Pick<TestCertificate, 'presented'>, terms: Partial<PeerTerms> = {}) {
  return verifyPeer({
    presented,
    bundles,
    trustDomains: ['cluster.local'],
    expected: [],
    purpose: 'server',
    nowMs: NOW,
    ...terms,
  });
}

const refused = (code: string, ...words: string[]) => ({
  refused: code,
  message: expect.stringMatching(new RegExp(words.map((word) => `(?=[^]*${word.replaceAll('.', '\\.')})`).join(''))),
});

const withList = (...lists: string[]) => ({ bundles: createBundles([['cluster.local', [root.pem]]], lists) });

describe('who is taken', () => {
  it('a workload of our trust domain, with its chain to the root', async () => {
    const peer = verify(await issue()) as VerifiedPeer;
    expect(peer.id).toMatchObject({ uri: REVIEWS, workload: { namespace: 'default', serviceAccount: 'reviews' } });
    expect(peer.chain.map(({ subject }) => subject)).toEqual([undefined, 'CN=root']);
  });

  it('a workload of a federated trust domain, by the roots of that one', async () => {
    const peer = await federated.issue({ uris: ['spiffe://partner.test/billing'] });
    expect(verify(peer)).toMatchObject({ id: { trustDomain: 'partner.test' } });
  });

  it('an alias of our trust domain, by our roots (MeshConfig.trustDomainAliases)', async () => {
    const peer = await issue({ uris: ['spiffe://old.local/ns/a/sa/b'] });
    expect(verify(peer, { trustDomains: ['cluster.local', 'old.local'] })).toMatchObject({
      id: { trustDomain: 'old.local' },
    });
    expect(verify(peer)).toEqual(refused('wrong-trust-domain', 'old.local', 'cluster.local'));
  });

  it('a chain over intermediates, in whatever order they come', async () => {
    const upper = await root.intermediate({ subject: 'CN=upper', pathLength: 1 });
    const lower = await upper.intermediate({ subject: 'CN=lower', pathLength: 0 });
    const { presented } = await lower.issue({ uris: [REVIEWS] });
    const [leaf, ...rest] = presented;
    const peer = verify({ presented: [leaf, ...rest.toReversed()].filter((one) => one !== undefined) }) as VerifiedPeer;
    expect(peer.chain.map(({ subject }) => subject)).toEqual([undefined, 'CN=lower', 'CN=upper', 'CN=root']);
  });

  it('a chain that ends at an intermediate which the bundle holds as a root (X.509-SVID §5)', async () => {
    const signing = await root.intermediate({ subject: 'CN=signing' });
    const own = createBundles([['cluster.local', [signing.pem]]]);
    expect(verify(await signing.issue({ uris: [REVIEWS] }), { bundles: own })).toHaveProperty('id');
  });

  it('a leaf under a root that is being replaced, by its cross certificate or by the new root alone', async () => {
    const next = await createTestCa({ subject: 'CN=next root' });
    const crossed = await next.crossSignedBy(root);
    const peer = await crossed.issue({ uris: [REVIEWS] });
    expect(verify(peer)).toHaveProperty('id');
    expect(verify(peer, { bundles: createBundles([['cluster.local', [next.pem]]]) })).toHaveProperty('id');
    expect(verify(peer, { bundles: createBundles([['cluster.local', [root.pem, next.pem]]]) })).toHaveProperty('id');
  });

  it('names beside the one URI are no matter', async () => {
    expect(verify(await issue({ dns: ['reviews.test'], ips: ['10.0.0.1'] }))).toHaveProperty('id');
  });

  it('who says nothing of extended key usage, or of key usage', async () => {
    expect(verify(await issue({ uses: [] }))).toHaveProperty('id');
  });
});

describe('who is refused, and how it is said', () => {
  it('no certificate', () => {
    expect(verify({ presented: [] })).toEqual(refused('no-certificate', 'cluster.local', 'partner.test'));
    expect(verify({ presented: [] }, { expected: [exactly(REVIEWS)] })).toEqual(refused('no-certificate', REVIEWS));
  });

  it.each<readonly [string, string, CertificateOptions, readonly string[]]>([
    ['a DNS name alone', 'no-uri-san', { uris: [], dns: ['reviews.test'] }, ['dns "reviews.test"', 'no URI']],
    ['no name at all', 'no-uri-san', { uris: [], subject: 'CN=reviews' }, ['CN=reviews']],
    ['two SPIFFE IDs', 'several-uri-sans', { uris: [REVIEWS, `${REVIEWS}2`] }, [REVIEWS, '2 URIs']],
    ['a SPIFFE ID and another URI', 'several-uri-sans', { uris: [REVIEWS, 'https://x.test'] }, ['https://x.test']],
    ['the same URI twice', 'several-uri-sans', { uris: [REVIEWS, REVIEWS] }, ['exactly one']],
    ['another URI', 'not-spiffe', { uris: ['https://cluster.local/ns/default/sa/reviews'] }, ['https://', 'spiffe://']],
    ['a SPIFFE ID with a query', 'not-spiffe', { uris: [`${REVIEWS}?admin`] }, ['admin']],
    // Node's text of names escapes this one as JSON; text that is split at ", " would find a second name in it.
    ['a SPIFFE ID that holds a comma', 'not-spiffe', { uris: [`${REVIEWS}, URI:${REVIEWS}`] }, ['not a SPIFFE ID']],
    ['a SPIFFE ID that ends in NUL', 'not-spiffe', { uris: [`${REVIEWS}\0.evil`] }, ['not a SPIFFE ID']],
    [
      'an unknown trust domain',
      'wrong-trust-domain',
      { uris: ['spiffe://evil.test/ns/a/sa/b'] },
      ['evil.test', 'cluster.local'],
    ],
    ['a leaf that is a CA', 'is-ca', { isCa: true }, ['CA:TRUE']],
    ['a leaf that may sign certificates', 'is-ca', { keyUsage: 1 | 32 }, ['may sign']],
    ['expired', 'expired', { notAfterMs: NOW - 60_000 }, ['expired at']],
    ['not yet valid', 'not-yet-valid', { notBeforeMs: NOW + 60_000 }, ['valid from']],
    [
      'an extended key usage of neither',
      'wrong-usage',
      { uses: [{ oid: '1.3.6.1.5.5.7.3.3' }] },
      ['1.3.6.1.5.5.7.3.3', '1.3.6.1.5.5.7.3.1'],
    ],
    ['a server that is for clients', 'wrong-usage', { uses: ['client'] }, ['TLS server']],
    ['no digital signature', 'wrong-usage', { keyUsage: 4 }, ['digitalSignature']],
  ])('%s', async (_, code, options, words) => {
    expect(verify(await issue(options))).toEqual(refused(code, ...words));
  });

  it('a client that is for servers', async () => {
    const server = await issue({ uses: ['server'] });
    expect(verify(server)).toHaveProperty('id');
    expect(verify(server, { purpose: 'client' })).toEqual(refused('wrong-usage', 'TLS client'));
  });

  it('one that signed itself', async () => {
    expect(verify(await selfSigned({ uris: [REVIEWS] }))).toEqual(refused('self-signed', REVIEWS, 'cluster.local'));
  });

  it("a foreign root, of the same name as ours, with the foreign root's certificate along", async () => {
    const { presented } = await foreign.issue({ uris: [REVIEWS] });
    expect(verify({ presented })).toEqual(refused('unknown-root', REVIEWS));
    expect(verify({ presented: [...presented, foreign.certificate] })).toEqual(refused('unknown-root', REVIEWS));
  });

  it('a root of another trust domain does not vouch for ours (gRFC A87)', async () => {
    expect(verify(await federated.issue({ uris: [REVIEWS] }))).toEqual(refused('unknown-root', 'cluster.local'));
    expect(verify(await issue({ uris: ['spiffe://partner.test/billing'] }))).toEqual(
      refused('unknown-root', 'partner.test'),
    );
  });

  it('an intermediate that is no CA', async () => {
    const middle = await root.intermediate({ subject: 'CN=middle', isCa: false, keyUsage: 1 | 32, uses: ['server'] });
    expect(verify(await middle.issue({ uris: [REVIEWS] }))).toEqual(refused('issuer-not-ca', 'CN=middle', 'CA:FALSE'));
  });

  it('a workload that signs another one with its own certificate', async () => {
    const workload = await root.intermediate({ subject: 'CN=w', isCa: false, uris: [`${REVIEWS}-v1`], keyUsage: 1 });
    const code = (verify(await workload.issue({ uris: [REVIEWS] })) as { refused: string }).refused;
    expect(['issuer-not-ca', 'unknown-root']).toContain(code);
  });

  it('more intermediates than one of them allows', async () => {
    const upper = await root.intermediate({ subject: 'CN=upper', pathLength: 0 });
    const lower = await upper.intermediate({ subject: 'CN=lower' });
    expect(verify(await lower.issue({ uris: [REVIEWS] }))).toEqual(refused('path-too-long', 'CN=upper'));
  });

  it.each<readonly [string, string, CertificateOptions]>([
    ['expired', 'expired', { notAfterMs: NOW - HOUR / 2 }],
    ['not yet valid', 'not-yet-valid', { notBeforeMs: NOW + HOUR }],
    ['for clients alone', 'wrong-usage', { uses: ['client'] }],
  ])('an intermediate that is %s', async (_, code, options) => {
    const middle = await root.intermediate({ subject: 'CN=middle', ...options });
    expect(verify(await middle.issue({ uris: [REVIEWS] }))).toEqual(refused(code, 'CN=middle'));
  });

  it('a root that has expired', async () => {
    const old = await createTestCa({ subject: 'CN=old', notAfterMs: NOW - 60_000 });
    const peer = await old.issue({ uris: [REVIEWS] });
    expect(verify(peer, { bundles: createBundles([['cluster.local', [old.pem]]]) })).toEqual(
      refused('expired', 'CN=old'),
    );
  });

  it('whoever a long list names: the parser drops none of it', async () => {
    const bad = await issue();
    const serials = Array.from({ length: 4_000 }, (_, at) => (0x40_0000_0000 + at).toString(16));
    const others = serials.map((serialNumber) => ({ certificate: { serialNumber } })) as unknown as TestCertificate[];
    const list = await root.crl(...others, bad);
    expect(verify(bad, withList(list))).toEqual(refused('revoked', REVIEWS));
    expect(verify(await issue(), withList(list))).toMatchObject({ id: { uri: REVIEWS } });
  });

  it('everybody, where it cannot be told who was revoked', async () => {
    const good = await issue();
    const list = await root.crl();
    expect(verify(good, withList(list))).toMatchObject({ id: { uri: REVIEWS } });
    const cutOff = list.replace(/.{64}\n/, '');
    for (const text of [cutOff, 'a list that was fetched wrongly'])
      expect(verify(good, withList(text))).toEqual(refused('chain-refused', 'revoked', REVIEWS));
  });

  it('a revoked leaf, a revoked intermediate; a list of somebody else revokes nobody', async () => {
    const middle = await root.intermediate({ subject: 'CN=middle' });
    const [good, bad] = [await middle.issue({ uris: [REVIEWS] }), await middle.issue({ uris: [REVIEWS] })];
    const asLeaf = { certificate: middle.certificate } as TestCertificate;
    expect(verify(bad, withList(await middle.crl(bad)))).toEqual(refused('revoked', REVIEWS));
    expect(verify(good, withList(await middle.crl(bad)))).toHaveProperty('id');
    expect(verify(good, withList(await root.crl(asLeaf)))).toEqual(refused('revoked', 'CN=middle'));
    // By the same name and another key.
    const impostor = await createTestCa({ subject: 'CN=middle' });
    expect(verify(bad, withList(await impostor.crl(bad)))).toHaveProperty('id');
  });

  it('a name that is not expected', async () => {
    const expected = [exactly(`${REVIEWS}-v2`), exactly('spiffe://cluster.local/ns/default/sa/ratings')];
    expect(verify(await issue(), { expected })).toEqual(refused('wrong-name', REVIEWS, 'reviews-v2', 'ratings'));
    expect(verify(await issue(), { expected: [exactly(REVIEWS)] })).toHaveProperty('id');
  });

  it('an issuer that may not vouch for the name (name constraints)', async () => {
    const { x509Extension } = await constraints('other.local');
    const middle = await root.intermediate({ subject: 'CN=middle', extensions: [x509Extension] });
    expect(verify(await middle.issue({ uris: [REVIEWS] }))).toEqual(
      refused('chain-refused', 'CN=middle', 'not permitted'),
    );
    const allowed = await constraints('cluster.local');
    const right = await root.intermediate({ subject: 'CN=right', extensions: [allowed.x509Extension] });
    expect(verify(await right.issue({ uris: [REVIEWS] }))).toHaveProperty('id');
  });

  it('a critical extension that nobody knows', async () => {
    const unknown = extension('1.2.3.4.5', true, new Uint8Array([5, 0]));
    expect(verify(await issue({ extensions: [unknown] }))).toEqual(refused('wrong-usage', '1.2.3.4.5'));
    const harmless = extension('1.2.3.4.5', false, new Uint8Array([5, 0]));
    expect(verify(await issue({ extensions: [harmless] }))).toHaveProperty('id');
  });

  it('a second extension of names', async () => {
    expect(verify(await issue({ extensions: [secondNames(REVIEWS)] }))).toEqual(refused('malformed', '2.5.29.17'));
  });

  it('a pile of certificates', async () => {
    const { presented } = await issue();
    const pile = Array.from({ length: 20 }, () => presented[0]).filter((one) => one !== undefined);
    expect(verify({ presented: pile })).toEqual(refused('chain-refused', '20'));
  });
});

async function constraints(host: string) {
  const { AsnConvert } = await import('@peculiar/asn1-schema');
  const { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } = await import('@peculiar/asn1-x509');
  const base = new GeneralName({ uniformResourceIdentifier: host });
  const value = new NameConstraints({ permittedSubtrees: new GeneralSubtrees([new GeneralSubtree({ base })]) });
  return { x509Extension: extension('2.5.29.30', true, new Uint8Array(AsnConvert.serialize(value))) };
}

describe('properties', () => {
  it('whoever is taken carries exactly one URI, of a trust domain with roots, and is in time', async () => {
    const uri = fc.constantFrom(
      REVIEWS,
      'spiffe://partner.test/x',
      'spiffe://evil.test/x',
      'https://x.test',
      `${REVIEWS}/`,
    );
    const shape = fc.record({
      uris: fc.array(uri, { maxLength: 2 }),
      dns: fc.subarray(['reviews.test']),
      notAfterMs: fc.constantFrom(NOW - HOUR / 2, NOW + HOUR),
      isCa: fc.boolean(),
      uses: fc.subarray(['server', 'client'] as const),
      signer: fc.constantFrom('own', 'foreign', 'partner'),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ signer, ...options }) => {
        const ca = { own: root, foreign, partner: federated }[signer];
        const result = verify(await ca.issue(options));
        const [only] = options.uris;
        const isGood =
          options.uris.length === 1 &&
          ((signer === 'own' && only === REVIEWS) || (signer === 'partner' && only === 'spiffe://partner.test/x')) &&
          options.notAfterMs > NOW &&
          !options.isCa &&
          (options.uses.length === 0 || options.uses.includes('server'));
        expect('id' in result).toBe(isGood);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a leaf that was verified before', () => {
  it('is taken by the same bundles while it and its chain are valid, and by no others', async () => {
    const peer = await issue({ notAfterMs: NOW + HOUR });
    for (let count = 0; count < 2; count++) expect(verify(peer)).toHaveProperty('id');
    expect(verify(peer, { nowMs: NOW + 2 * HOUR })).toEqual(refused('expired', 'expired at'));
    expect(verify(peer, { nowMs: NOW - 2 * HOUR })).toEqual(refused('not-yet-valid', 'valid from'));
    expect(verify(peer, { expected: [exactly(`${REVIEWS}2`)] })).toEqual(refused('wrong-name', REVIEWS));
    const listed = createBundles([['cluster.local', [root.pem]]], [await root.crl(peer)]);
    expect(verify(peer, { bundles: listed })).toEqual(refused('revoked', REVIEWS));
    expect(verify(peer, { bundles: createBundles([['cluster.local', [foreign.pem]]]) })).toEqual(
      refused('unknown-root', REVIEWS),
    );
  });

  it('is judged for each purpose by itself', async () => {
    const peer = await issue({ uses: ['client'] });
    expect(verify(peer, { purpose: 'client' })).toHaveProperty('id');
    expect(verify(peer, { purpose: 'server' })).toEqual(refused('wrong-usage'));
  });

  it('of an alias is taken no more once the alias is none', async () => {
    const peer = await issue({ uris: ['spiffe://old.local/ns/a/sa/b'] });
    expect(verify(peer, { trustDomains: ['cluster.local', 'old.local'] })).toHaveProperty('id');
    expect(verify(peer, { trustDomains: ['cluster.local'] })).toEqual(refused('wrong-trust-domain'));
  });
});
