import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeDns, type FakeDns } from '../../../test/harness/fake-dns.ts';
import { createResolver } from '../connection/dns/resolver.ts';
import { closeOrigins, serveHttp, until } from '../connection/origin.fixture.ts';
import type { ClusterState } from '../model/target.ts';
import { route } from '../route/route.fixture.ts';
import { activeRequests, ask, createStage, cluster as endpoints, type Stage } from './call.fixture.ts';

let stage: Stage;
let dns: FakeDns;
beforeEach(async () => {
  dns = await createFakeDns();
  const lookup = () => Promise.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }));
  stage = createStage({}, createResolver({ servers: [dns.server], timeoutMs: 200, tries: 1, lookup }));
});
afterEach(async () => {
  await stage.close();
  dns.close();
  closeOrigins();
});

function named(port: number, isLogical: boolean): ClusterState {
  const state = endpoints('a', [{ address: 'db.test', port }]);
  if (state.kind !== 'ready') return state;
  const { cluster, assignment = { clusterName: 'a', localities: [], overprovisioningFactor: 140 } } = state.config;
  const options = { refreshRateMs: 20, respectTtl: false, jitterMs: 0, family: 'v4-only' } as const;
  const discovery = { kind: 'dns', assignment, options, ...(isLogical && { logical: true as const }) } as const;
  return { kind: 'ready', config: { cluster: { ...cluster, discovery }, assignment: undefined } };
}

describe('a cluster of names', () => {
  it.each([
    { kind: 'STRICT_DNS', isLogical: false, endpoint: '127.0.0.1' },
    { kind: 'LOGICAL_DNS', isLogical: true, endpoint: 'db.test' },
  ])(
    '$kind: calls go where the name leads, stay there while DNS fails, and end with the name only where each address is a host (Envoy)',
    async ({ isLogical, endpoint }) => {
      const { port } = await serveHttp((_, reply) => reply.end('x'));
      dns.answers.set('db.test', { addresses: ['127.0.0.1'] });
      const target = await stage.target([route('r')], { a: named(port, isLogical) });
      const answer = await ask(stage, target).ended;
      expect(answer).toMatchObject({ status: 200, text: 'x' });
      expect(answer.call?.story.endpoint).toBe(`${endpoint}:${port}`);
      dns.answers.set('db.test', 'SERVFAIL');
      const before = dns.questions.length;
      await until(() => dns.questions.length > before + 2);
      expect(await ask(stage, target).ended).toMatchObject({ status: 200 });
      dns.answers.set('db.test', 'NXDOMAIN');
      if (isLogical) {
        const then = dns.questions.length;
        await until(() => dns.questions.length > then + 2);
        expect(await ask(stage, target).ended).toMatchObject({ status: 200 });
        return;
      }
      await until(() => target.upstreams.get('a')?.hosts().length === 0);
      const none = await ask(stage, target).ended;
      expect(none).toMatchObject({ status: 503, text: 'no healthy upstream' });
      expect(none.call?.story.flag).toBe('UH');
      await until(() => stage.connections.stats().open === 0);
      expect(activeRequests(target.upstreams.values())).toBe(0);
    },
  );

  it('LOGICAL_DNS: each connection goes to the first address that answers', async () => {
    const { port } = await serveHttp((_, reply) => reply.end('x'));
    dns.answers.set('db.test', { addresses: ['127.0.0.2', '127.0.0.1'] });
    const target = await stage.target([route('r')], { a: named(port, true) });
    expect(await ask(stage, target).ended).toMatchObject({ status: 200, text: 'x' });
  });
});
