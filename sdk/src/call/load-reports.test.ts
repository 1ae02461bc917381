import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp } from '../connection/origin.fixture.ts';
import { endpointsOf } from '../explain/explain.ts';
import { forward, route } from '../route/route.fixture.ts';
import { ask, cluster, createStage, type Stage } from './call.fixture.ts';

/** Weights by load reports in the head of any answer (Envoy Filter::maybeProcessOrcaLoadReport). */

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const loadBalancer = {
  kind: 'load-weighted',
  blackoutMs: 0,
  expirationMs: 60_000,
  updateMs: 100,
  errorPenalty: 1,
  metricNames: [],
} as const;

describe('answers of HTTP/1.1 with load reports', () => {
  it('weigh their hosts, whatever the format; explain shows the weights', async () => {
    const reports = [
      'TEXT cpu_utilization=0.25,rps_fractional=100',
      'JSON {"cpu_utilization":0.5,"rps_fractional":100}',
    ];
    const ports = await Promise.all(
      reports.map(async (report) => {
        const { port } = await serveHttp((request, response) => {
          request.resume();
          response.writeHead(200, { 'endpoint-load-metrics': report }).end();
        });
        return port;
      }),
    );
    const target = await stage.target([route('r', {}, forward({ a: 1 }))], {
      a: cluster('a', ports, { loadBalancer }),
    });
    const upstream = target.upstreams.get('a');
    for (let i = 0; i < 2; i++) expect((await ask(stage, target).ended).status).toBe(200);
    expect(endpointsOf(upstream).map(({ loadWeight }) => loadWeight)).toEqual([400, 200]);
    stage.addMs += 100;
    const counts = new Map<string, number>();
    for (let i = 0; i < 60; i++) {
      const { call } = await ask(stage, target).ended;
      const endpoint = call?.story.endpoint ?? '';
      counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    }
    expect(counts.get(`127.0.0.1:${ports[0]}`)).toBeGreaterThanOrEqual(38);
    expect(counts.get(`127.0.0.1:${ports[1]}`)).toBeGreaterThanOrEqual(18);
  });

  it('that have none leave everybody his turn', async () => {
    const silent = () => serveHttp((request, response) => request.resume() && response.end());
    const ports = [(await silent()).port, (await silent()).port];
    const target = await stage.target([route('r', {}, forward({ a: 1 }))], {
      a: cluster('a', ports, { loadBalancer }),
    });
    for (let i = 0; i < 4; i++) await ask(stage, target).ended;
    expect(endpointsOf(target.upstreams.get('a')).map(({ loadWeight }) => loadWeight)).toEqual([0, 0]);
  });
});
