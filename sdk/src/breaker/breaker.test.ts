import { describe, expect, it } from 'vitest';
import { startTestMesh } from '../../../test/harness/test-mesh.ts';

describe('mesh.breaker', () => {
  it('opens over the answers of an upstream, answers from its fallback, and closes when the upstream is back', async () => {
    let isIll = true;
    await using test = await startTestMesh((_request, response) => response.writeHead(isIll ? 500 : 200).end('origin'));
    const breaker = test.mesh.breaker('reviews:9080', {
      volumeThreshold: 5,
      resetMs: 1_000,
      fallback: (_request, { kind }) => new Response(kind),
    });
    const isHalfOpen = new Promise<void>((resolve) => breaker.on(({ kind }) => kind === 'half-open' && resolve()));
    const ask = async () => (await breaker.fetch(`${test.url}/`)).text();
    const answers: string[] = [];
    for (let n = 0; n < 7; n++) answers.push(await ask());
    expect(answers).toEqual([...Array<string>(5).fill('answer'), 'open', 'open']);
    expect(test.origin.requests).toHaveLength(5);
    isIll = false;
    await isHalfOpen;
    expect(await ask()).toBe('origin');
    expect(breaker.state).toBe('closed');
  });

  it("counts the mesh's own answers, resolved or thrown", async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await test.origin.close();
    const breaker = test.mesh.breaker('reviews:9080', { volumeThreshold: 2 });
    const first = await breaker.fetch(test.url);
    expect([first.status, first.mesh?.flag]).toEqual([503, 'UF']);
    await expect(breaker.fetch(test.url, { mesh: { localReply: 'throw' } })).rejects.toThrow(/MESH_CONNECT_FAILED/);
    await expect(breaker.fetch(test.url)).rejects.toThrow(/MESH_BREAKER_OPEN/);
  });

  it('ends a late call for good: its connection is given up', async () => {
    await using test = await startTestMesh(() => {});
    const closed = new Promise<void>((resolve) =>
      test.origin.server.on('connection', (socket) => socket.once('close', () => resolve())),
    );
    const breaker = test.mesh.breaker('reviews:9080', { timeoutMs: 50 });
    await expect(breaker.fetch(test.url)).rejects.toThrow(/MESH_TIMEOUT/);
    await closed;
  });

  it('keeps out of the body: a slow one is read to its end', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.write('head, ');
      setTimeout(() => response.end('tail'), 150);
    });
    const response = await test.mesh.breaker('reviews:9080', { timeoutMs: 100 }).fetch(test.url);
    expect(await response.text()).toBe('head, tail');
  });

  it('works where there is no mesh as well, and ends with the mesh', async () => {
    await using test = await startTestMesh((_request, response) => response.writeHead(500).end());
    const outside = test.mesh.breaker(`127.0.0.1:${test.origin.port}`, { volumeThreshold: 1 });
    const url = `http://127.0.0.1:${test.origin.port}/`;
    expect((await outside.fetch(url)).status).toBe(500);
    expect(outside.state).toBe('open');
    await test.mesh.close();
    expect(outside.state).toBe('closed');
  });
});
