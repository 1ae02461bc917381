import { describe, expect, it } from 'vitest';
import { rules, service, startOrigin, world } from '../sdk/world.ts';

const CALLERS = 1_000;
const RETRIES = 'retries: { attempts: 3, retryOn: 5xx }';

/** A thousand callers at once, each calling so often, at an upstream that answers nothing but 500. */
async function storm(callsEach: number, policy = '') {
  await using origin = await startOrigin((_request, response) => response.writeHead(500).end());
  const http = `- route: [{ destination: { host: ill } }]\n  ${RETRIES}`;
  await using w = await world(`${service('ill', { v1: origin.port })}${rules('ill', http)}${policy}`);
  await w.test.settled();
  const refused = new Set<string | undefined>();
  let attempts = 0;
  const caller = async (): Promise<void> => {
    for (let n = 0; n < callsEach; n++) {
      const response = await w.mesh.fetch('http://ill/');
      await response.arrayBuffer();
      attempts += response.mesh?.attempts.length ?? 0;
      refused.add(response.mesh?.retryRefused);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { calls: CALLERS * callsEach, arrived: origin.received.length, attempts, refused: [...refused].sort() };
}

/**
 * The bound: of the first requests of ten seconds, and of those under way when they began, a fifth is retried (a hundred at
 * least). So a storm within one such while makes at most 1.2 requests a call; a longer one begins each while with the
 * requests under way counted once more.
 */
describe('a retry storm: 1,000 callers, an upstream that fails every request, 3 retries a call, nobody set a budget', () => {
  it('a call each: 1.2 requests a call at most', async () => {
    const { calls, arrived, attempts, refused } = await storm(1);
    expect(arrived).toBe(attempts);
    expect(arrived).toBeLessThanOrEqual(calls * 1.2);
    // The budget is there to be used.
    expect(arrived).toBeGreaterThanOrEqual(calls + 100);
    expect(refused).toContain('overflow');
  }, 60_000);

  it('ten calls each: 1.2 requests a call at most', async () => {
    const { calls, arrived, attempts } = await storm(10);
    expect(arrived).toBe(attempts);
    expect(arrived).toBeLessThanOrEqual(calls * 1.2);
    expect(arrived).toBeGreaterThanOrEqual(calls + 100);
  }, 60_000);

  it('a budget that is set is Envoy’s: of what is under way, so none at 0 % and no minimum', async () => {
    const none = 'trafficPolicy: { retryBudget: { percent: 0, minRetryConcurrency: 0 } }';
    const policy = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ill }
spec: { host: ill, subsets: [{ name: v1, labels: { version: v1 } }], ${none} }
---
`;
    const { calls, arrived } = await storm(1, policy);
    expect(arrived).toBe(calls);
  }, 60_000);
});
