import { X509Certificate } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '@inmesh/sdk/internal/gen/ca';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Principal } from '../auth/principal.ts';
import type { IssuanceRecord } from './audit.ts';
import { csrOf, DAY_MS, handClock } from './authority.fixture.ts';
import { type Authority, createAuthority } from './authority.ts';
import { type CertificateServiceOptions, createCertificateService, isStatus } from './certificate-service.ts';
import type { ImpersonationPolicy, PodFacts } from './impersonation.ts';

const clock = handClock();
let authority: Authority;
let records: IssuanceRecord[] = [];

beforeEach(async () => {
  records = [];
  authority = await createAuthority({
    trustDomain: 'cluster.local',
    clock,
    audit: (record) => {
      records.push(record);
      return Promise.resolve();
    },
  });
});

afterEach(() => authority.close());

const reviews: Principal = {
  kind: 'workload',
  trustDomain: 'cluster.local',
  namespace: 'default',
  serviceAccount: 'reviews',
  via: 'bootstrap-token',
};

interface Question {
  readonly csr?: string;
  readonly seconds?: bigint;
  readonly impersonated?: unknown;
}

async function ask(
  principal: Principal | undefined,
  { csr, seconds = 0n, impersonated }: Question = {},
  options: Partial<CertificateServiceOptions> = {},
) {
  const service = createCertificateService({ authority, clock, ...options });
  const request = create(IstioCertificateRequestSchema, {
    csr: csr ?? (await csrOf()),
    validityDuration: seconds,
    ...(impersonated === undefined ? {} : { metadata: { ImpersonatedIdentity: impersonated as string } }),
  });
  const answer = await service.createCertificate(toBinary(IstioCertificateRequestSchema, request), principal);
  return isStatus(answer) ? answer : fromBinary(IstioCertificateResponseSchema, answer).certChain;
}

const namesOf = (answer: Awaited<ReturnType<typeof ask>>): string =>
  Array.isArray(answer) ? (new X509Certificate(answer[0] ?? '').subjectAltName ?? '') : '';

describe('CreateCertificate', () => {
  it('certifies whoever asks under the name it proved, whatever the CSR says', async () => {
    const csr = await csrOf({
      subject: 'CN=admin',
      uris: ['spiffe://cluster.local/ns/kube-system/sa/admin'],
      ca: true,
    });
    const answer = await ask(reviews, { csr });
    expect(namesOf(answer)).toBe('URI:spiffe://cluster.local/ns/default/sa/reviews');
    expect(answer).toHaveLength(2);
  });

  it('sends one certificate an element, all roots, the issuing one last', async () => {
    const [issuing] = authority.bundle().roots;
    await authority.rotateRoot();
    const answer = await ask(reviews);
    expect(answer).toEqual([expect.any(String), authority.bundle().roots[1], issuing]);
  });

  it('counts lifetimes in seconds; 0 is a day, more than 90 days is refused', async () => {
    const endOf = (answer: unknown) =>
      Array.isArray(answer) ? new X509Certificate(String(answer[0])).validToDate.getTime() - clock.wallTime() : answer;
    expect(endOf(await ask(reviews, { seconds: 3_600n }))).toBe(3_600_000);
    expect(endOf(await ask(reviews, { seconds: 0n }))).toBe(DAY_MS);
    expect(endOf(await ask(reviews, { seconds: -5n }))).toBe(DAY_MS);
    expect(endOf(await ask(reviews, { seconds: -(2n ** 63n) }))).toBe(DAY_MS);
    for (const seconds of [315_360_000n, 2n ** 63n - 1n])
      expect(await ask(reviews, { seconds })).toMatchObject({
        code: 3,
        message: expect.stringContaining('at most 7776000 s'),
      });
  });

  it('answers nobody who proved nothing', async () => {
    expect(await ask(undefined)).toMatchObject({ code: 16 });
  });

  it('answers what is no request, and any bytes at all, with INVALID_ARGUMENT', async () => {
    const service = createCertificateService({ authority, clock, rate: { perSecond: 1, burst: 1e9 } });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await service.createCertificate(bytes, reviews)).toMatchObject({ code: 3 });
      }),
    );
  });

  it('records who asked how for what, and what came of it; no key, no request', async () => {
    await ask(reviews);
    await ask(reviews, { csr: 'nonsense' });
    expect(records).toEqual([
      {
        atMs: clock.wallTime(),
        principal: 'spiffe://cluster.local/ns/default/sa/reviews',
        via: 'bootstrap-token',
        names: { uris: ['spiffe://cluster.local/ns/default/sa/reviews'] },
        outcome: 'issued',
        serial: expect.stringMatching(/^[0-9A-F]{30,32}$/),
        notAfterMs: clock.wallTime() + DAY_MS,
      },
      expect.objectContaining({ outcome: 'refused', reason: 'malformed' }),
    ]);
  });

  it('holds back one that asks without end, and no one else', async () => {
    const service = createCertificateService({ authority, clock, rate: { perSecond: 1, burst: 3 } });
    const csr = await csrOf();
    const bytes = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr }));
    const codes: (number | undefined)[] = [];
    for (let count = 0; count < 5; count += 1) {
      const answer = await service.createCertificate(bytes, reviews);
      codes.push(isStatus(answer) ? answer.code : undefined);
    }
    expect(codes).toEqual([undefined, undefined, undefined, 8, 8]);
    expect(isStatus(await service.createCertificate(bytes, { ...reviews, serviceAccount: 'ratings' }))).toBe(false);
    clock.advance(1_000);
    expect(isStatus(await service.createCertificate(bytes, reviews))).toBe(false);
    expect(isStatus(await service.createCertificate(bytes, reviews))).toBe(true);
  });
});

describe('CreateCertificate for another workload (CA_TRUSTED_NODE_ACCOUNTS)', () => {
  const agent: Principal = {
    kind: 'workload',
    trustDomain: 'cluster.local',
    namespace: 'istio-system',
    serviceAccount: 'ztunnel',
    via: 'kubernetes',
    pod: { name: 'ztunnel-1', uid: 'u1' },
  };
  const wanted = 'spiffe://cluster.local/ns/default/sa/reviews';
  const here: PodFacts = { uid: 'u1', serviceAccount: 'ztunnel', node: 'node-1' };

  const policy = (pod: PodFacts | undefined = here): ImpersonationPolicy => ({
    nodeAgents: new Set(['istio-system/ztunnel']),
    pods: {
      pod: (namespace, name) => Promise.resolve(namespace === 'istio-system' && name === 'ztunnel-1' ? pod : undefined),
      runsOn: (node, namespace, serviceAccount) =>
        Promise.resolve(node === 'node-1' && namespace === 'default' && serviceAccount === 'reviews'),
    },
  });

  it('is issued to a node agent for what runs on its own node', async () => {
    expect(namesOf(await ask(agent, { impersonated: wanted }, { impersonation: policy() }))).toBe(`URI:${wanted}`);
    expect(records).toMatchObject([
      { principal: 'spiffe://cluster.local/ns/istio-system/sa/ztunnel', names: { uris: [wanted] } },
    ]);
  });

  it.each([
    ['nobody may where nobody is named', reviews, wanted, undefined, 'nobody may ask'],
    ['a workload that is no node agent', reviews, wanted, policy(), 'default/reviews is no node agent'],
    ['an agent of another trust domain', { ...agent, trustDomain: 'other' }, wanted, policy(), 'no node agent'],
    [
      'an agent without a proven pod',
      { ...agent, pod: undefined } as unknown as Principal,
      wanted,
      policy(),
      'proved no pod',
    ],
    ['a pod that is gone', { ...agent, pod: { name: 'ztunnel-2', uid: 'u1' } }, wanted, policy(), 'is not there'],
    ['a pod of the same name that came later', agent, wanted, policy({ ...here, uid: 'u2' }), 'another one by now'],
    ['a pod that runs as somebody else', agent, wanted, policy({ ...here, serviceAccount: 'x' }), 'runs as x'],
    [
      'a pod whose token was made for another node',
      { ...agent, node: 'node-2' },
      wanted,
      policy(),
      'its token was made for node-2',
    ],
    [
      'a pod of whom no uid is known, by a token that is bound to no node',
      agent,
      wanted,
      policy({ ...here, uid: undefined }),
      'another one by now',
    ],
    ['a pod on no node', agent, wanted, policy({ ...here, node: undefined }), 'on no node'],
    [
      'a workload of another node',
      agent,
      wanted,
      policy({ ...here, node: 'node-2' }),
      'nothing runs as default/reviews on node node-2',
    ],
    [
      'a workload that runs nowhere',
      agent,
      'spiffe://cluster.local/ns/default/sa/admin',
      policy(),
      'nothing runs as default/admin',
    ],
    ['another trust domain', agent, 'spiffe://other/ns/default/sa/reviews', policy(), 'no workload of cluster.local'],
    ['a name that is no workload', agent, 'spiffe://cluster.local/x', policy(), 'no workload of cluster.local'],
    ['what is no SPIFFE ID', agent, 'reviews', policy(), 'no SPIFFE ID'],
  ])('is refused: %s; why stands in the log alone', async (_, principal, impersonated, impersonation, why) => {
    const answer = await ask(principal, { impersonated }, impersonation === undefined ? {} : { impersonation });
    expect(answer).toEqual({ code: 16, message: 'request impersonation authentication failure' });
    expect(records).toMatchObject([
      { outcome: 'refused', reason: 'impersonation', message: expect.stringContaining(why) },
    ]);
  });

  it('is UNAVAILABLE while the pods cannot be looked up', async () => {
    const pods = { pod: () => Promise.reject(new Error('down')), runsOn: () => Promise.resolve(true) };
    const answer = await ask(agent, { impersonated: wanted }, { impersonation: { ...policy(), pods } });
    expect(answer).toMatchObject({ code: 14 });
  });

  it('is not asked for by what is no text', async () => {
    for (const impersonated of ['', 5, true, null, ['x']])
      expect(namesOf(await ask(reviews, { impersonated }))).toBe('URI:spiffe://cluster.local/ns/default/sa/reviews');
  });
});
