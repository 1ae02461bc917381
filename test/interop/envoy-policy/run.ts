import { startFaultServers } from '../../harness/fault-server.ts';
import { hostsOf, type PolicyCase } from './case.ts';
import { type CaseSetup, startLive } from './envoy-plane.ts';
import { inTime } from './in-time.ts';
import { type Outcome, play } from './play.ts';
import { sdkPlane } from './sdk-plane.ts';

/** So many cases at a time: most of them wait. */
const AT_ONCE = 12;

/** A case takes 4 s at most; one that hangs is told. */
const CASE_MS = 25_000;

async function inTurn<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = list.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const one of left) await work(one);
    }),
  );
}

/** One case that cannot be played leaves the others. */
async function outcomeOf(played: Promise<Outcome>): Promise<Outcome> {
  const missed = (why: string): Outcome => ({ lines: [], missed: [why], counters: {}, details: [] });
  const done = await inTime(
    played.catch((error: unknown) => missed(String(error))),
    CASE_MS,
  );
  return done?.value ?? missed(`not over within ${CASE_MS} ms`);
}

const startUpstreams = (policyCase: PolicyCase) =>
  startFaultServers([
    ...hostsOf(policyCase),
    ...(policyCase.mirrors ?? []).map((mirror) => ({ ...mirror, isMirror: true })),
  ]);

/** Plays all cases through one live Envoy. */
export async function playLive(binary: string, cases: readonly PolicyCase[]): Promise<ReadonlyMap<string, Outcome>> {
  const setups: CaseSetup[] = [];
  const outcomes = new Map<string, Outcome>();
  try {
    for (const policyCase of cases) setups.push({ policyCase, group: await startUpstreams(policyCase) });
    const live = await startLive(binary, setups);
    try {
      await inTurn(setups, async ({ policyCase, group }) => {
        const plane = live.plane(policyCase);
        outcomes.set(policyCase.name, await outcomeOf(play(policyCase, plane, group)));
        await plane.close();
      });
    } finally {
      await live.stop();
    }
  } finally {
    await Promise.all(setups.map(({ group }) => inTime(group.close(), CASE_MS)));
  }
  return outcomes;
}

/** Plays cases through the SDK, each with upstreams and a control plane of its own. */
export async function playSdk(cases: readonly PolicyCase[]): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  await inTurn(cases, async (policyCase) => {
    outcomes.set(policyCase.name, await outcomeOf(playAlone(policyCase)));
  });
  return outcomes;
}

async function playAlone(policyCase: PolicyCase): Promise<Outcome> {
  const group = await startUpstreams(policyCase);
  try {
    const plane = sdkPlane(policyCase, group);
    return await play(policyCase, plane, group).finally(() => plane.close());
  } finally {
    await group.close();
  }
}

/** A busy machine upsets what hangs on milliseconds: what does not fit is played again, with fewer beside it. */
const ROUNDS = 5;

export async function playUntilFit(
  cases: readonly PolicyCase[],
  playAll: (cases: readonly PolicyCase[]) => Promise<ReadonlyMap<string, Outcome>>,
  fits: (policyCase: PolicyCase, outcome: Outcome | undefined) => boolean,
): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  let left = cases;
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    for (const [name, outcome] of await playAll(left)) outcomes.set(name, outcome);
    left = left.filter((policyCase) => !fits(policyCase, outcomes.get(policyCase.name)));
  }
  return outcomes;
}
