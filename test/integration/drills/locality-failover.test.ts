import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Origin, startOrigin, world } from '../sdk/world.ts';

const ZONES = ['west/a', 'west/b', 'east/a'];

const entry = (zone: string, index: number, port: number): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: geo-${zone.replace('/', '-')}-${index} }
spec:
  address: 127.0.0.1
  ports: { http: ${port} }
  labels: { app: geo }
  locality: ${zone}
---`;

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: geo }
spec:
  ports: [{ name: http, port: 80 }]
  selector: { app: geo }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: geo }
spec:
  host: geo
  trafficPolicy:
    loadBalancer: { localityLbSetting: { enabled: true } }
    outlierDetection: { consecutive5xxErrors: 1, interval: 100ms, baseEjectionTime: 300ms, maxEjectionPercent: 100 }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: geo }
spec:
  hosts: [geo]
  http: [{ route: [{ destination: { host: geo } }], retries: { attempts: 3, retryOn: 'connect-failure,5xx', backoff: 1ms } }]
---`;

/** Two endpoints in each of three zones; one that is ill answers 503. */
async function geoWorld() {
  const ill = new Set<string>();
  const origins: Origin[] = [];
  let yaml = YAML;
  for (const zone of ZONES) {
    for (const index of [0, 1]) {
      const origin = await startOrigin((_request, response) => response.writeHead(ill.has(zone) ? 503 : 200).end(zone));
      origins.push(origin);
      yaml += entry(zone, index, origin.port);
    }
  }
  const w = await world(yaml, { locality: 'west/a' });
  await w.test.settled();
  return {
    ill,
    /** Where calls go: every answer of a while. */
    async answers(calls = 40): Promise<string[]> {
      const seen = new Set<string>();
      for (let n = 0; n < calls; n++) {
        const response = await w.mesh.fetch('http://geo/');
        seen.add(`${response.status} ${await response.text()}`);
      }
      return [...seen].sort();
    },
    async [Symbol.asyncDispose]() {
      await w[Symbol.asyncDispose]();
      for (const origin of origins) await origin.close();
    },
  };
}

/** Asks until it is so; the test's own time limit is the bound. */
async function eventually(ask: () => Promise<string[]>, wanted: string[]): Promise<void> {
  while (JSON.stringify(await ask()) !== JSON.stringify(wanted)) await sleep(50);
}

describe('localityLbSetting with outlier detection', () => {
  it('zone by zone: its own, when that is ill the next of the region, then the next region, and back again', async () => {
    await using geo = await geoWorld();
    const answers = () => geo.answers();
    expect(await answers()).toEqual(['200 west/a']);
    geo.ill.add('west/a');
    // The calls that found it out were retried elsewhere: none of them failed.
    await eventually(answers, ['200 west/b']);
    geo.ill.add('west/b');
    await eventually(answers, ['200 east/a']);
    geo.ill.delete('west/a');
    geo.ill.delete('west/b');
    await eventually(answers, ['200 west/a']);
  });

  it('no call fails on the way there and back', async () => {
    await using geo = await geoWorld();
    const all = new Set<string>();
    for (let round = 0; round < 3; round++) {
      geo.ill.add('west/a');
      for (const answer of await geo.answers(100)) all.add(answer);
      geo.ill.delete('west/a');
      await sleep(400);
      for (const answer of await geo.answers(100)) all.add(answer);
    }
    expect([...all].every((answer) => answer.startsWith('200'))).toBe(true);
    expect(all).toContain('200 west/a');
    expect(all).toContain('200 west/b');
  });
});
