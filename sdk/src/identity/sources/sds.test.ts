import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/certificates.ts';
import { createStaticAds } from '../../../../test/harness/static-ads.ts';
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '../../../gen/discovery.js';
import { SecretSchema } from '../../../gen/tls.js';
import { readBootstrap } from '../../bootstrap/bootstrap.ts';
import { systemClock, systemRandom } from '../../clock.ts';
import { createDiscovery } from '../../discovery/discovery.ts';
import type { MeshEvent } from '../../model/events.ts';
import { openIdentity } from '../start.ts';

const URI = 'spiffe://cluster.local/ns/shop/sa/web';
const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const ca = await createTestCa();
const other = await createTestCa({ subject: 'CN=other' });

type SecretInit = MessageInitShape<typeof SecretSchema>;
const bytesOf = (text: string) => ({ specifier: { case: 'inlineBytes', value: Buffer.from(text) } }) as const;
const certificate = (chain: string, key: string): SecretInit => ({
  name: 'default',
  type: { case: 'tlsCertificate', value: { certificateChain: bytesOf(chain), privateKey: bytesOf(key) } },
});
const roots = (pem: string): SecretInit => ({
  name: 'ROOTCA',
  type: { case: 'validationContext', value: { trustedCa: bytesOf(pem) } },
});
const any = (secret: SecretInit) => ({ typeUrl: SECRET, value: toBinary(SecretSchema, create(SecretSchema, secret)) });
const issue = () => ca.issue({ uris: [URI] });

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** An identity as a process has it whose environment says so, with the control plane in this process. */
async function identityOf(env: Record<string, string>, ads = createStaticAds()) {
  const events: MeshEvent[] = [];
  const bootstrap = readBootstrap({ env, readFile: () => '', hasTransport: true });
  if (bootstrap === undefined) throw new Error('off');
  const common = {
    node: bootstrap.node,
    clock: systemClock,
    random: systemRandom,
    emit: (event: MeshEvent) => events.push(event),
  };
  const discovery = createDiscovery({ servers: [{ transport: ads.transport }], ...common });
  const identity = await openIdentity({ settings: bootstrap.identity, discovery, transport: ads.transport, ...common });
  if (identity === undefined) throw new Error('no identity');
  ends.push(() => {
    identity.close();
    void discovery.close();
  });
  return { identity, events, ads };
}

describe('identity from secrets of the control plane', () => {
  it('is there once certificate and roots are; each new one is a rotation', async () => {
    const { identity, ads } = await identityOf({ INMESH_SDS: 'ads' });
    const waiting = identity.ready(30_000);
    const made = await issue();
    ads.set('default', any(certificate(made.pem, made.keyPem)));
    await expect.poll(() => identity.missing).toMatch(/secret ROOTCA/);
    expect(identity.current()).toBeUndefined();
    ads.set('ROOTCA', any(roots(ca.pem)));
    expect(await waiting).toMatchObject({ generation: 1, svid: { id: { uri: URI } } });
    const next = await issue();
    ads.set('default', any(certificate(next.pem, next.keyPem)));
    await expect.poll(() => identity.current()?.generation).toBe(2);
    ads.set('ROOTCA', any(roots(`${ca.pem}${other.pem}`)));
    await expect.poll(() => identity.current()?.bundles.of('cluster.local')).toHaveLength(2);
  });

  it('one that cannot be used leaves the last good one, and says which secret and why, without a word of it', async () => {
    const { identity, ads, events } = await identityOf({ INMESH_SDS: 'ads' });
    const [made, another] = [await issue(), await issue()];
    ads.set('default', any(certificate(made.pem, made.keyPem)));
    ads.set('ROOTCA', any(roots(ca.pem)));
    await identity.ready(30_000);
    ads.set('default', any(certificate(made.pem, another.keyPem)));
    await expect.poll(() => identity.describe()?.problem).toMatch(/^secret default: .*key is not that/);
    expect(identity.current()?.generation).toBe(1);
    expect(JSON.stringify(events)).not.toMatch(/PRIVATE KEY|BEGIN CERT/);
  });

  it('a control plane that gives none says so', async () => {
    const { identity } = await identityOf({ INMESH_SDS: 'ads' });
    identity.start();
    await expect.poll(() => identity.missing).toMatch(/SDS of the control plane: secret (default|ROOTCA): /);
  });
});

describe("identity from an agent's socket (Istio's agent, SPIRE's SDS)", () => {
  /** Speaks state of the world alone, as older agents do. */
  async function agent(socket: string) {
    const held = new Map<string, SecretInit>();
    const streams = new Set<{ send(): void }>();
    const server = new Server();
    const as = (value: Buffer) => value;
    const method = {
      path: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
      requestStream: true,
      responseStream: true,
      requestSerialize: as,
      requestDeserialize: as,
      responseSerialize: as,
      responseDeserialize: as,
    };
    let version = 0;
    const stream = (call: ServerDuplexStream<Buffer, Buffer>): void => {
      let names: readonly string[] = [];
      const send = (): void => {
        const resources = names.flatMap((name) => held.get(name) ?? []).map(any);
        if (resources.length === 0) return;
        version += 1;
        const response = create(DiscoveryResponseSchema, {
          typeUrl: SECRET,
          resources,
          nonce: String(version),
          versionInfo: String(version),
        });
        call.write(Buffer.from(toBinary(DiscoveryResponseSchema, response)));
      };
      const one = { send };
      streams.add(one);
      call.on('data', (bytes: Buffer) => {
        const request = fromBinary(DiscoveryRequestSchema, bytes);
        const isNew = request.resourceNames.join() !== names.join();
        names = request.resourceNames;
        if (isNew) send();
      });
      call.on('end', () => call.end());
    };
    server.addService({ stream: method }, { stream });
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    ends.push(() => server.forceShutdown());
    return {
      set(secret: SecretInit) {
        held.set(secret.name ?? '', secret);
        for (const { send } of streams) send();
      },
    };
  }

  it('SecretDiscoveryService over a unix socket; the agent is the authority on its trust domain', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'inmesh-sds-'));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const socket = path.join(directory, 'socket');
    const { set } = await agent(socket);
    const { identity, ads } = await identityOf({ INMESH_SDS: `unix:${socket}` });
    // Not asked: what the control plane says of this trust domain does not count beside the agent's word.
    ads.set('ROOTCA', any(roots(other.pem)));
    const made = await issue();
    set(certificate(made.pem, made.keyPem));
    set(roots(ca.pem));
    const state = await identity.ready(30_000);
    expect(state.bundles.of('cluster.local')?.map((pem) => pem.trim())).toEqual([ca.pem.trim()]);
    const next = await issue();
    set(certificate(next.pem, next.keyPem));
    await expect.poll(() => identity.current()?.svid.serialNumber).toBe(next.certificate.serialNumber.toLowerCase());
  });

  it('secrets that name files on this machine', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'inmesh-sds-'));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const made = await issue();
    const file = (name: string, text: string) => {
      writeFileSync(path.join(directory, name), text);
      return { specifier: { case: 'filename', value: path.join(directory, name) } } as const;
    };
    const { identity, ads } = await identityOf({ INMESH_SDS: 'ads' });
    ads.set(
      'default',
      any({
        name: 'default',
        type: {
          case: 'tlsCertificate',
          value: { certificateChain: file('c.pem', made.pem), privateKey: file('k.pem', made.keyPem) },
        },
      }),
    );
    ads.set(
      'ROOTCA',
      any({ name: 'ROOTCA', type: { case: 'validationContext', value: { trustedCa: file('r.pem', ca.pem) } } }),
    );
    expect((await identity.ready(30_000)).svid.id.uri).toBe(URI);
  });
});
