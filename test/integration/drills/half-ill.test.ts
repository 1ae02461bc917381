import { describe, expect, it } from 'vitest';
import { startFaultServers } from '../../harness/fault-server.ts';
import { rules, service, type World, world } from '../sdk/world.ts';

const policy = (percent: number): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: half-policy }
spec:
  host: half
  trafficPolicy:
    loadBalancer: { simple: ROUND_ROBIN }
    outlierDetection:
      { consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 60s, maxEjectionPercent: ${percent} }
---
`;

const CALLERS = 20;
/** What ill endpoints may answer: five in a row each, and what is under way when they are ejected. */
const MOST_ILL = 5 * 5 + CALLERS * 2;
/** A failed call has had an answer of an ill endpoint: one of a hundred at most. */
const CALLS = 100 * MOST_ILL;

const ejected = async ({ mesh }: World): Promise<number> =>
  (await mesh.explain({ url: 'http://half/' })).endpoints.filter(({ state }) => state === 'ejected').length;

/** Ten endpoints, of which five answer 500, one retry a call. */
async function drill(percent: number) {
  const names = Array.from({ length: 10 }, (_, index) => `e${index}`);
  const group = await startFaultServers(
    names.map((name, at) => ({ name, script: at % 2 === 0 ? 'ok' : '500' })),
    0,
  );
  try {
    const ports = Object.fromEntries(group.servers.map(({ name, port }) => [name, port]));
    const rule = '- route: [{ destination: { host: half } }]\n  retries: { attempts: 1, retryOn: 5xx }';
    await using w = await world(`${service('half', ports)}${policy(percent)}${rules('half', rule)}`);
    await w.test.settled();
    let succeeded = 0;
    let made = 0;
    let mostEjected = 0;
    const caller = async (): Promise<void> => {
      while (made++ < CALLS) {
        const response = await w.mesh.fetch('http://half/');
        await response.text();
        if (response.status === 200) succeeded++;
        if (made % 100 === 0) mostEjected = Math.max(mostEjected, await ejected(w));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    const ill = group.servers.filter((_, at) => at % 2 === 1).reduce((sum, { counts }) => sum + counts.requests, 0);
    return { succeeded, mostEjected, atEnd: await ejected(w), ill };
  } finally {
    await group.close();
  }
}

describe('half of ten endpoints answer 500, outlier detection and one retry', () => {
  it('maxEjectionPercent 50: all five are ejected, none that is well; 99 of 100 calls succeed', async () => {
    const { succeeded, mostEjected, atEnd, ill } = await drill(50);
    expect([mostEjected, atEnd]).toEqual([5, 5]);
    expect(succeeded / CALLS).toBeGreaterThanOrEqual(0.99);
    expect(ill).toBeLessThanOrEqual(MOST_ILL);
  });

  it('maxEjectionPercent 30: never more than three, however many are ill', async () => {
    const { mostEjected, atEnd } = await drill(30);
    expect([mostEjected, atEnd]).toEqual([3, 3]);
  });
});
