import { setTimeout as sleep } from 'node:timers/promises';
import { binomialBounds } from './binomial.ts';
import { PageClient } from './page-client.ts';
import type { Scenario } from './scenarios.ts';

export interface ScenarioResult {
  readonly scenario: string;
  readonly requests: number;
  readonly failures: number;
  readonly distribution: Readonly<Record<string, number>>;
  /** Counts each version should have had; what a fair draw allows around it decides `within`. */
  readonly expected: Readonly<Record<string, number>>;
  /** Copies that reached each version, where the scenario mirrors. */
  readonly mirrored?: Readonly<Record<string, number>>;
  readonly within: boolean;
}

/** Enough to have many calls waiting for a slow service at a time. */
const CONCURRENCY = 50;

/** The version that answered each request, in request order; undefined where the request failed. */
async function answers(url: string, scenario: Scenario, requests: number): Promise<(string | undefined)[]> {
  const client = new PageClient(url);
  const versions: (string | undefined)[] = new Array(requests).fill(undefined);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < requests; index = next++) {
      try {
        const answer = await client.view({
          path: scenario.path?.(index) ?? '/productpage',
          user: scenario.user?.(index),
          headers: scenario.headers?.(index) ?? {},
        });
        if (scenario.holds?.(answer, index) !== false) versions[index] = answer.version;
      } catch {
        versions[index] = undefined;
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  client.close();
  return versions;
}

function count(values: readonly (string | undefined)[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sticky(versions: readonly (string | undefined)[], caller: (index: number) => string): (string | undefined)[] {
  const first = new Map<string, string>();
  return versions.map((version, index) => {
    const known = first.get(caller(index));
    if (known === undefined && version !== undefined) first.set(caller(index), version);
    return known ?? version;
  });
}

/** Judges what came back: `judge` is pure so that its bounds can be tested without a mesh. */
function judge(scenario: Scenario, versions: readonly (string | undefined)[]): ScenarioResult {
  const requests = versions.length;
  const failures = versions.filter((version) => version === undefined).length;
  const distribution = count(versions);
  if (typeof scenario.expected.sticky === 'function') {
    const wanted = sticky(versions, scenario.expected.sticky as (index: number) => string);
    const spread = Object.keys(distribution).length > 1;
    const within = spread && wanted.every((version, index) => version === versions[index]);
    return { scenario: scenario.name, requests, failures, distribution, expected: count(wanted), within };
  }
  const shares = Object.entries(scenario.expected as Record<string, number>);
  const expected = Object.fromEntries(shares.map(([version, share]) => [version, Math.round(share * requests)]));
  const known = Object.keys(distribution).every((version) => version in expected);
  const within =
    known &&
    shares.every(([version, share]) => {
      const { low, high } = binomialBounds(requests, share);
      const seen = distribution[version] ?? 0;
      return seen >= low && seen <= high;
    });
  return { scenario: scenario.name, requests, failures, distribution, expected, within };
}

/** How many requests each version of reviews has got so far. */
export type Reviewed = () => Readonly<Record<string, number>>;

/** Connections are opened and code is loaded before anything is judged by its time. */
export async function warmUp(url: string): Promise<void> {
  const client = new PageClient(url);
  const view = () => client.view({ path: '/productpage', user: undefined, headers: {} }).catch(() => {});
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: CONCURRENCY }, view));
  client.close();
}

const QUIET_MS = 200;

/** Requests nobody waits for any more may still be on their way. */
async function quiet(reviewed: Reviewed): Promise<void> {
  for (let before = ''; before !== JSON.stringify(reviewed()); await sleep(QUIET_MS))
    before = JSON.stringify(reviewed());
}

/** Copies are nobody's to wait for, so the last ones may come after the answers. */
const COPIES_MS = 2_000;

export async function runScenario(
  url: string,
  scenario: Scenario,
  requests: number,
  reviewed: Reviewed,
): Promise<ScenarioResult> {
  await quiet(reviewed);
  const before = reviewed();
  const result = judge(scenario, await answers(url, scenario, requests));
  const shares = Object.entries(scenario.mirrored ?? {});
  if (shares.length === 0) return result;
  const seen = () =>
    Object.fromEntries(shares.map(([version]) => [version, (reviewed()[version] ?? 0) - (before[version] ?? 0)]));
  const isDue = () => shares.every(([version, share]) => seen()[version] === share * requests);
  for (const end = performance.now() + COPIES_MS; !isDue() && performance.now() < end; ) await sleep(20);
  return { ...result, mirrored: seen(), within: result.within && isDue() };
}
