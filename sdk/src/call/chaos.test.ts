import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, deadPort, serve, until } from '../connection/origin.fixture.ts';
import { forward, path, route } from '../route/route.fixture.ts';
import type { Pick } from '../upstream/pick.ts';
import { type Answer, type Asked, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import type { LiveTarget } from './live-target.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

/** Park and Miller: the same calls in every run. */
function createDraw(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  };
}

/** What a server may do to a client, by path. */
const BEHAVIOURS: Readonly<Record<string, http.RequestListener>> = {
  '/ok': (_, reply) => reply.end('ok'),
  '/large': (_, reply) => reply.end('x'.repeat(300_000)),
  '/last': (_, reply) => reply.setHeader('connection', 'close').end('last'),
  '/late': (_, reply) => setImmediate(() => setImmediate(() => reply.end('late'))),
  '/silent': () => {},
  '/reset': (request) => request.socket.resetAndDestroy(),
  '/broken': (request, reply) => {
    reply.writeHead(200, { 'content-length': 100 });
    reply.write('part', () => request.socket.destroy());
  },
  '/stuck': (_, reply) => reply.write('part'),
};
const PATHS = [...Object.keys(BEHAVIOURS), '/dead', '/empty', '/none'];

interface Counts {
  picked: number;
  outcomes: number;
  releases: number;
}

/** Counts what each pick is told, beneath the guard that upstreams have against hearing it twice. */
function counted(target: LiveTarget, counts: Counts): LiveTarget {
  const wrap = (pick: Pick): Pick => {
    counts.picked++;
    let isTold = false;
    const { kind, endpoint, host, upstream } = pick;
    return {
      kind,
      endpoint,
      host,
      upstream,
      connected: (isAll) => pick.connected(isAll),
      unreachable: () => pick.unreachable(),
      begun: () => pick.begun(),
      reported: (report) => pick.reported(report),
      outcome(outcome) {
        // A body that breaks off is told besides.
        if (!isTold || outcome.error === undefined) counts.outcomes++;
        isTold = true;
        pick.outcome(outcome);
      },
      release() {
        counts.releases++;
        pick.release();
      },
    };
  };
  for (const upstream of target.upstreams.values()) {
    const pick = upstream.pick.bind(upstream);
    upstream.pick = (context) => {
      const picked = pick(context);
      return picked.kind === 'pick' ? wrap(picked) : picked;
    };
  }
  return target;
}

async function* drip(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield new Uint8Array(10);
  }
}

function drawCall(draw: (bound: number) => number): Asked {
  const asked = { path: PATHS[draw(PATHS.length)] ?? '/ok' };
  switch (draw(4)) {
    case 0:
      return { ...asked, method: 'POST', body: { kind: 'bytes', bytes: new Uint8Array(100) } };
    case 1:
      return { ...asked, method: 'PUT', body: { kind: 'stream', stream: drip(draw(4)) } };
    default:
      return asked;
  }
}

describe('calls under everything that can go wrong', () => {
  it.each([1, 2, 3])(
    'end once, tell each pick one outcome and one release, and leave nothing behind (seed %i)',
    async (seed) => {
      const draw = createDraw(seed);
      const server = http.createServer((request, reply) => BEHAVIOURS[request.url ?? '']?.(request.resume(), reply));
      const { port } = await serve(server);
      const to = (name: string) => forward({ [name]: 1 }, { timeoutMs: 300 });
      const counts: Counts = { picked: 0, outcomes: 0, releases: 0 };
      const target = counted(
        await stage.target(
          [
            route('dead', { path: path('exact', '/dead') }, to('dead')),
            route('empty', { path: path('exact', '/empty') }, to('empty')),
            ...Object.keys(BEHAVIOURS).map((where) => route(where, { path: path('exact', where) }, to('live'))),
          ],
          { live: cluster('live', [port]), dead: cluster('dead', [await deadPort()]), empty: cluster('empty', []) },
        ),
        counts,
      );
      const answers: Answer[] = [];
      for (let i = 0; i < 400; i++) {
        const answer = ask(stage, target, drawCall(draw));
        answers.push(answer);
        if (draw(3) === 0) {
          for (let turns = draw(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
          answer.call?.abort('enough');
        }
        if (draw(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      // An answer that ends twice throws; one that never ends is a time-out of this test.
      await Promise.all(answers.map(({ ended }) => ended));
      expect(counts.picked).toBeGreaterThan(200);
      expect(counts).toEqual({ picked: counts.picked, outcomes: counts.picked, releases: counts.picked });
      expect([...target.upstreams.values()].flatMap((it) => it.hosts()).filter((it) => it.activeRequests > 0)).toEqual(
        [],
      );
      expect(stage.events.filter(({ kind }) => kind === 'call')).toHaveLength(answers.length);
      // Drained answers may take their 100 ms yet.
      await until(() => stage.connections.stats().open === stage.connections.stats().idle);
      expect(stage.connections.stats()).toMatchObject({ dialling: 0, waiting: 0 });
      await stage.connections.closeAll(0);
      expect(stage.connections.stats().open).toBe(0);
    },
  );
});
