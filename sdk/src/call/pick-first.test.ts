import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp } from '../connection/origin.fixture.ts';
import { forward, route } from '../route/route.fixture.ts';
import { ask, cluster, createStage, type Stage } from './call.fixture.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const origin = async (body: string): Promise<number> => {
  const { port } = await serveHttp((_, response) => response.end(body));
  return port;
};
/** Nobody listens there. */
const DEAD = 1;

const targetOf = (ports: readonly number[]) =>
  stage.target([route('r', {}, forward({ a: 1 }))], {
    a: cluster('a', ports, { loadBalancer: { kind: 'pick-first', shuffles: false } }),
  });

describe('a call to a cluster that picks the first', () => {
  it('goes on to the first that can be connected to, without a retry policy, and later calls go there at once', async () => {
    const target = await targetOf([DEAD, await origin('b'), await origin('c')]);
    const first = await ask(stage, target).ended;
    expect([first.status, first.text]).toEqual([200, 'b']);
    expect(first.call?.story.attempts.map(({ status, flag }) => status ?? flag)).toEqual(['UF', 200]);
    const second = await ask(stage, target).ended;
    expect(second.text).toBe('b');
    expect(second.call?.story.attempts).toHaveLength(1);
  });

  it('fails when all of them have been tried', async () => {
    const answer = await ask(stage, await targetOf([DEAD, DEAD + 1])).ended;
    expect(answer.status).toBe(503);
    expect(answer.call?.story.flag).toBe('UF');
    expect(answer.call?.story.attempts).toHaveLength(2);
  });
});
