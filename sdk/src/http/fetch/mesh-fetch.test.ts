import { describe, expect, it } from 'vitest';
import { CLUSTER, startTestMesh } from '../mesh.fixture.ts';

describe('meshFetch', () => {
  it('reaches an endpoint of the host and tells its story', async () => {
    await using test = await startTestMesh((_request, response) => response.end('{"stars":5}'));
    const response = await test.mesh.fetch(`${test.url}/reviews/0?x=1`, { headers: { 'X-Caller': 'me' } });
    expect(response).toBeInstanceOf(Response);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ stars: 5 });
    expect(response.mesh).toMatchObject({ target: 'reviews:9080', cluster: CLUSTER, local: false });
    expect(test.origin.requests[0]).toMatchObject({ url: '/reviews/0?x=1', method: 'GET' });
    expect(test.origin.requests[0]?.headers).toMatchObject({ host: 'reviews:9080', 'x-caller': 'me', accept: '*/*' });
  });
});
