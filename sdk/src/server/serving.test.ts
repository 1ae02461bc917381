import { createServer } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { createTestIdentity } from '../../../test/harness/test-identity.ts';
import { createBundles } from '../identity/bundles.ts';
import { listenerOfMode } from './chain.ts';
import { clientOf, say, unusedPort, whoServer } from './grpc.fixture.ts';
import { guardWith } from './guard.ts';
import type { GuardOptions } from './options.ts';
import { ask, createSide, fate, plain, REVIEWS, until } from './server.fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: GuardOptions = {}) {
  const ca = await createTestCa();
  const bundles = createBundles([['cluster.local', [ca.pem]]]);
  const identity = createTestIdentity({ certificate: await ca.issue({ uris: [REVIEWS] }), bundles });
  const side = createSide(identity);
  const told: string[] = [];
  const server = whoServer();
  const guarded = guardWith(side, server, {
    service: 'reviews',
    onServing: () => told.push('serving'),
    onNotServing: (error) => told.push(`${error.code}: ${error.message}`),
    ...options,
  });
  closers.push(() => guarded.close({ graceMs: 0 }));
  const port = await unusedPort();
  const call = () => say(clientOf({ port, closers }));
  return { side, guarded, told, port, call };
}
const OPEN = listenerOfMode('DISABLE', '127.0.0.1', 0);
const WHY = 'authorization is not enforced here yet';

describe('the serving state (gRFC A36)', () => {
  it('a listener that is refused opens no port, and says why; one that can be served does', async () => {
    const { side, guarded, told, port, call } = await setUp({ fallback: 'DISABLE', configTimeoutMs: 60_000 });
    side.refuse(WHY);
    const listening = guarded.listen({ port, host: '127.0.0.1' });
    await until(() => told.length === 1);
    expect(told[0]).toContain(`MESH_CONFIG_INVALID: `);
    expect(told[0]).toContain(WHY);
    expect(guarded.unready()).toContain(WHY);
    expect((await call()).code).toBe(grpc.status.UNAVAILABLE);
    side.listen(OPEN);
    await listening;
    expect(told.at(-1)).toBe('serving');
    expect((await call()).text).toBe('nobody');
    expect(side.registered.size).toBe(1);
  });

  it('nobody is served by a choice of our own where there is a listener and it is refused', async () => {
    const { side, guarded, told, port, call } = await setUp({ fallback: 'DISABLE', configTimeoutMs: 1 });
    await guarded.listen({ port, host: '127.0.0.1' });
    expect((await call()).text).toBe('nobody');
    side.refuse(WHY);
    await until(() => told.length === 2);
    expect((await call()).code).toBe(grpc.status.UNAVAILABLE);
    expect(guarded.stats().refused).toMatchObject({ 'not-serving': expect.any(Number) });
    expect(side.registered.size).toBe(0);
    side.listen(OPEN);
    await until(() => told.length === 3);
    expect((await call()).text).toBe('nobody');
    expect(side.registered.size).toBe(1);
  });

  it('who waits for it is told when the server is closed instead, and holds the process no longer', async () => {
    const { side, guarded, port } = await setUp();
    side.refuse(WHY);
    const listening = guarded.listen({ port, host: '127.0.0.1' }).catch(String);
    await until(() => guarded.unready()?.includes(WHY) === true);
    await guarded.close();
    expect(await listening).toContain('the server was closed before');
  });

  it('an end of it is told, to who watches as well; a callback that throws harms nobody', async () => {
    const { side, guarded, told, port } = await setUp();
    let changes = 0;
    const stop = guarded.onServingChange(() => {
      changes++;
      throw new Error('oh');
    });
    side.listen(OPEN);
    await guarded.listen({ port, host: '127.0.0.1' });
    await guarded.close();
    expect(told).toEqual([
      'serving',
      expect.stringContaining('MESH_NOT_READY: [MESH_NOT_READY] the server does not serve: closing'),
    ]);
    expect(changes).toBe(2);
    expect(side.events).toContainEqual({ kind: 'warning', message: expect.stringContaining('Error: oh') });
    stop();
  });

  it('an HTTP server is not served either', async () => {
    const { side } = await setUp();
    side.refuse(WHY);
    const guarded = guardWith(
      side,
      createServer((_, response) => response.end('open')),
      { fallback: 'DISABLE' },
    );
    closers.push(() => guarded.close({ graceMs: 0 }));
    const { server } = guarded;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = server.address();
    const port = typeof at === 'object' && at !== null ? at.port : 0;
    expect(await fate(await plain(port))).toBe('closed');
    side.listen(OPEN);
    expect((await ask(await plain(port))).text).toBe('open');
  });
});
