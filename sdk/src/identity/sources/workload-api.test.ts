import { once } from 'node:events';
import http2, { type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type TestCa, type TestCertificate } from '../../../../test/harness/certificates.ts';
import { X509SVIDResponseSchema } from '../../../gen/spiffe.js';
import { systemClock } from '../../clock.ts';
import { MeshError } from '../../errors.ts';
import { frameMessage } from '../../wire/grpc-frames.ts';
import type { IdentitySource, SourceState } from '../source.ts';
import { createWorkloadApiSource } from './workload-api.ts';

const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';

let root: TestCa;
let other: TestCa;
let workload: TestCertificate;
const ends: (() => void)[] = [];

beforeAll(async () => {
  [root, other] = await Promise.all([createTestCa(), createTestCa({ subject: 'CN=other' })]);
  workload = await (await root.intermediate()).issue({ uris: [REVIEWS] });
});

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Answer {
  readonly id?: string;
  readonly certificate?: TestCertificate;
  readonly key?: Uint8Array;
  readonly bundle?: readonly TestCa[];
  readonly federated?: Readonly<Record<string, readonly TestCa[]>>;
  readonly crl?: readonly string[];
}

const joined = (parts: readonly { readonly raw: Buffer }[]): Buffer => Buffer.concat(parts.map(({ raw }) => raw));
const rootsOf = (cas: readonly TestCa[]): Buffer => joined(cas.map(({ certificate }) => certificate));
const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');

function answer({ id = REVIEWS, certificate = workload, key, bundle = [root], federated = {}, crl = [] }: Answer = {}) {
  const svid = {
    spiffeId: id,
    x509Svid: joined(certificate.presented),
    x509SvidKey: key ?? certificate.key.export({ type: 'pkcs8', format: 'der' }),
    bundle: rootsOf(bundle),
  };
  return toBinary(
    X509SVIDResponseSchema,
    create(X509SVIDResponseSchema, {
      svids: [svid],
      crl: crl.map(derOf),
      federatedBundles: Object.fromEntries(Object.entries(federated).map(([name, cas]) => [name, rootsOf(cas)])),
    }),
  );
}

interface Agent {
  readonly address: string;
  /** The next call, with its headers answered. */
  next(): Promise<{ stream: ServerHttp2Stream; headers: http2.IncomingHttpHeaders }>;
}

async function startAgent(): Promise<Agent> {
  const server: Http2Server = http2.createServer();
  const calls: Awaited<ReturnType<Agent['next']>>[] = [];
  const waiting: ((call: Awaited<ReturnType<Agent['next']>>) => void)[] = [];
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    const next = waiting.shift();
    if (next === undefined) calls.push({ stream, headers });
    else next({ stream, headers });
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () =>
      new Promise((resolve) => {
        const call = calls.shift();
        if (call === undefined) waiting.push(resolve);
        else resolve(call);
      }),
  };
}

/** What a source tells, one after the other. */
function follow(address: string): { source: IdentitySource; next(): Promise<SourceState | string> } {
  const told: (SourceState | string)[] = [];
  const waiting: ((one: SourceState | string) => void)[] = [];
  const tell = (one: SourceState | string): void => {
    const next = waiting.shift();
    if (next === undefined) told.push(one);
    else next(one);
  };
  const source = createWorkloadApiSource({ address, clock: systemClock, random: () => 0 });
  ends.push(() => source.close());
  source.start({ found: tell, failed: tell });
  return {
    source,
    next: () =>
      new Promise((resolve) => {
        const one = told.shift();
        if (one === undefined) waiting.push(resolve);
        else resolve(one);
      }),
  };
}

function finish(stream: ServerHttp2Stream, code: number, message: string): void {
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': code, 'grpc-message': message }));
  stream.end();
}

describe('the Workload API as a source', () => {
  it('asks with the header that no other process can be made to send (SPIFFE Workload Endpoint §6)', async () => {
    const agent = await startAgent();
    follow(agent.address);
    const { headers } = await agent.next();
    expect(headers[':path']).toBe('/SpiffeWorkloadAPI/FetchX509SVID');
    expect(headers['workload.spiffe.io']).toBe('true');
  });

  it('tells certificate, key, roots, roots of others and revocation lists', async () => {
    const agent = await startAgent();
    const { source, next } = follow(agent.address);
    const { stream } = await agent.next();
    const federated = { 'spiffe://partner.test': [other], 'old.test': [other], 'spiffe://cluster.local': [other] };
    stream.write(frameMessage(answer({ bundle: [root, other], federated, crl: [await root.crl(workload)] })));
    const state = (await next()) as SourceState;
    expect(state.svid.id.uri).toBe(REVIEWS);
    expect(state.svid.chain.match(/BEGIN/g)).toHaveLength(2);
    expect(state.svid.key.equals(workload.key)).toBe(true);
    // Our own roots are those of the answer itself, whoever is called like us besides.
    expect(state.bundles.trustDomains).toEqual(['cluster.local', 'partner.test', 'old.test']);
    expect(state.bundles.of('cluster.local')?.map((pem) => pem.trim())).toEqual([root.pem.trim(), other.pem.trim()]);
    expect(state.bundles.revoked).toHaveLength(1);
    expect(source.hasWholeBundles).toBe(true);
  });

  it('tells each answer of the stream', async () => {
    const agent = await startAgent();
    const { next } = follow(agent.address);
    const { stream } = await agent.next();
    stream.write(frameMessage(answer()));
    const first = (await next()) as SourceState;
    stream.write(frameMessage(answer({ certificate: await root.issue({ uris: [REVIEWS] }) })));
    const second = (await next()) as SourceState;
    expect(second.svid.serialNumber).not.toBe(first.svid.serialNumber);
  });

  it.each<readonly [string, () => Promise<Uint8Array> | Uint8Array, RegExp]>([
    ['no SVID', () => new Uint8Array(0), /no SVID/],
    ['bytes that are no message', () => Buffer.from('ffffffff', 'hex'), /cannot be used/],
    ['an id that is not the certificate’s', () => answer({ id: `${REVIEWS}2` }), /reviews2.*reviews/],
    [
      'a key of another certificate',
      async () => answer({ key: (await root.issue()).key.export({ type: 'pkcs8', format: 'der' }) }),
      /key/,
    ],
    ['a key that is none', () => answer({ key: Buffer.from('secret') }), /its key cannot be read/],
    ['a certificate without a URI', async () => answer({ certificate: await root.issue({ dns: ['a.test'] }) }), /URI/],
  ])('says what is wrong with %s, and stays connected', async (_, bytes, reason) => {
    const agent = await startAgent();
    const { next } = follow(agent.address);
    const { stream } = await agent.next();
    stream.write(frameMessage(await bytes()));
    const told = await next();
    expect(told).toMatch(reason);
    expect(told).not.toContain('secret');
    stream.write(frameMessage(answer()));
    expect(await next()).toHaveProperty('svid');
  });

  it('connects again when the stream ends, and says why it did', async () => {
    const agent = await startAgent();
    const { next } = follow(agent.address);
    const { stream } = await agent.next();
    stream.write(frameMessage(answer()));
    await next();
    finish(stream, 14, 'going away');
    expect(await next()).toMatch(/status 14.*going away/);
    const again = await agent.next();
    again.stream.write(frameMessage(answer()));
    expect(await next()).toHaveProperty('svid');
  });

  it('says that the process is not registered, and asks again when nudged', async () => {
    const agent = await startAgent();
    const { source, next } = follow(agent.address);
    for (let count = 0; count < 6; count++) {
      const { stream } = await agent.next();
      finish(stream, 7, 'no identity issued');
      expect(await next()).toMatch(/no identity for this process: no identity issued/);
      // By itself it would wait longer each time: 16 s after the sixth.
      source.nudge?.();
    }
    const { stream } = await agent.next();
    stream.write(frameMessage(answer()));
    expect(await next()).toHaveProperty('svid');
  });

  it('says that there is no agent', async () => {
    const { next } = follow('unix:///no/such/agent.sock');
    expect(await next()).toMatch(/ENOENT/);
  });

  it('refuses an address that it cannot read', () => {
    expect(() =>
      createWorkloadApiSource({ address: 'tcp://127.0.0.1:99999', clock: systemClock, random: () => 0 }),
    ).toThrow(MeshError);
  });
});
