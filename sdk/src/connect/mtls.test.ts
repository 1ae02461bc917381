import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type TestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { createTestIdentity, type TestIdentity } from '../../../test/harness/test-identity.ts';
import { cluster } from '../call/call.fixture.ts';
import { bundleOf, idOf, type MutualServer, mutual, serverOf, workload } from '../call/mtls.fixture.ts';
import { until } from '../connection/origin.fixture.ts';
import { type ConnectStage, chain, createConnectStage, type Echo, startEcho } from './connect.fixture.ts';
import { connect } from './connect.ts';

let ca: TestCa;
let client: TestCertificate;
beforeAll(async () => {
  ca = await createTestCa();
  client = await workload(ca, 'productpage');
});

let identity: TestIdentity;
let stage: ConnectStage;
const servers: MutualServer[] = [];
const echoes: Echo[] = [];
afterEach(async () => {
  await Promise.all([...servers.splice(0), ...echoes.splice(0)].map((server) => server.close()));
});

function begin(certificate: TestCertificate | undefined = client): void {
  identity = createTestIdentity({ ...(certificate && { certificate }), bundles: bundleOf(ca) });
  stage = createConnectStage(identity);
}

async function serving(account: string): Promise<MutualServer> {
  const server = await serverOf(await workload(ca, account), ca);
  servers.push(server);
  return server;
}

const open = (): Promise<Socket> => connect(stage.runtime, { host: 'db', port: 5432 });

async function answerOn(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes;
  });
  socket.write('GET / HTTP/1.1\r\nhost: db\r\nconnection: close\r\n\r\n');
  await once(socket, 'end');
  return text;
}

describe('connections by mutual TLS', () => {
  it('show who we are, and tell who answered', async () => {
    begin();
    const server = await serving('db');
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [server.port], { tls: mutual('db') }) });
    const socket = await open();
    expect(await answerOn(socket)).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
    await until(() => stage.events.some(({ kind }) => kind === 'connection'));
    const [event] = stage.events.filter(({ kind }) => kind === 'connection');
    expect(event?.kind === 'connection' && event.story.peer).toBe(idOf('db'));
    // Whoever agreed on Istio's metadata exchange would send its header before a byte of the application's.
    expect([...server.protocols]).toEqual(['istio']);
  });

  it('are refused to the wrong peer, and not tried in clear', async () => {
    begin();
    const wrong = await serving('ratings');
    const plain = await startEcho('clear');
    echoes.push(plain);
    const transportMatches = [
      { name: 'tls', match: new Map([['tlsMode', 'istio']]), tls: mutual('db') },
      { name: 'raw', match: new Map(), tls: undefined },
    ];
    const endpoints = [{ port: wrong.port, transportMatch: new Map([['tlsMode', 'istio']]) }, plain.port];
    await stage.serve(
      { chains: [chain({ one: 1 }, { connectAttempts: 3 })] },
      { one: cluster('one', endpoints, { transportMatches }) },
    );
    await expect(open()).rejects.toMatchObject({
      code: 'MESH_PEER_REFUSED',
      flag: 'UF',
      message: expect.stringContaining('refused (wrong-name)'),
    });
  });

  it('without an identity fail closed, and recover', async () => {
    begin();
    identity.set(undefined);
    const server = await serving('db');
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [server.port], { tls: mutual('db') }) });
    await expect(open()).rejects.toMatchObject({ code: 'MESH_IDENTITY_UNAVAILABLE', flag: 'UF' });
    identity.set(client);
    const socket = await open();
    expect(await answerOn(socket)).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
  });

  it('that are open are closed when their peer would be refused', async () => {
    begin();
    const server = await serving('db');
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [server.port], { tls: mutual('db') }) });
    const socket = await open();
    const failed = once(socket, 'error');
    const next = await createTestCa({ subject: 'CN=next root' });
    identity.set(await workload(next, 'productpage'), bundleOf(next));
    expect(await failed).toMatchObject([{ code: 'MESH_PEER_REFUSED' }]);
  });
});
