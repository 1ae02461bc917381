import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { clientIdentity } from './client-identity.ts';
import { nodeOf } from './node.fixture.ts';
import { type RegisteredWorkload, Registrations } from './registrations.ts';
import { Session } from './session.ts';
import type { SessionHost } from './session-host.ts';

interface Registered {
  readonly service: string;
  readonly port: number;
  readonly version?: string;
  readonly address?: string;
  readonly labels?: Record<string, string>;
}

/** Registrations with streams to declare them on; `known` is what the registry would hold. */
function setUp() {
  const clock = createFakeClock();
  const known = new Map<string, RegisteredWorkload>();
  const events: string[] = [];
  const registrations = new Registrations(
    {
      register(workload) {
        known.set(workload.uid, workload);
        events.push(`+${workload.service}`);
      },
      unregister({ uid, service }) {
        known.delete(uid);
        events.push(`-${service}`);
      },
    },
    clock,
    10_000,
  );
  const limits = { names: { perSecond: 1, burst: 1 } } as SessionHost['limits'];
  const host: Partial<SessionHost> = { clock, limits, due: () => {}, warn: () => {}, identified: () => {} };
  const stream = (id: string, peer?: string) => {
    const link = { send: () => true, pause: () => {}, resume: () => {}, end: () => {} };
    const session = new Session('delta', link, host as SessionHost);
    let identity = clientIdentity(nodeOf(id));
    Object.defineProperty(session, 'identity', { get: () => identity });
    return {
      declare(list: readonly Registered[], ips = '', labels: Record<string, string> = {}) {
        const registered = list.map((one) => ({ ...one }));
        identity = clientIdentity(nodeOf(id, { INMESH_REGISTER: registered, INSTANCE_IPS: ips, LABELS: labels }));
        registrations.declare(session, identity, peer);
      },
      lose: () => registrations.lost(session),
    };
  };
  return { clock, events, stream, known: () => [...known.values()] };
}

const REVIEWS = { service: 'reviews', port: 3001, version: 'v1' };
const RATINGS = { service: 'ratings', port: 3002 };

it('registers what a stream names, once, and again only when it differs', () => {
  const { stream, events, known } = setUp();
  const one = stream('web-1');
  one.declare([REVIEWS, RATINGS]);
  one.declare([REVIEWS, RATINGS]);
  expect(events).toEqual(['+reviews', '+ratings']);
  one.declare([{ ...REVIEWS, version: 'v2' }, RATINGS]);
  expect(events).toEqual(['+reviews', '+ratings', '+reviews']);
  expect(known().map(({ version }) => version)).toEqual(['v2', undefined]);
});

it('reaches a process at the address it gives, else its INSTANCE_IPS, else where its stream comes from, else here', () => {
  const { stream, known } = setUp();
  stream('a', '10.0.0.1').declare([{ ...REVIEWS, address: '10.0.0.3' }], '10.0.0.2');
  stream('b', '10.0.0.1').declare([REVIEWS], '10.0.0.2,fd00::2');
  stream('c', '10.0.0.1').declare([REVIEWS]);
  stream('d').declare([REVIEWS]);
  expect(known().map(({ address }) => address)).toEqual(['10.0.0.3', '10.0.0.2', '10.0.0.1', '127.0.0.1']);
});

it("has the process's own labels, and those of the registration before them", () => {
  const { stream, known } = setUp();
  stream('a').declare([{ ...REVIEWS, labels: { tier: 'back' } }], '', { app: 'reviews', tier: 'front' });
  expect(known().map(({ labels }) => Object.fromEntries(labels))).toEqual([{ app: 'reviews', tier: 'back' }]);
});

it('gives a lost stream 10 s to come back', async () => {
  const { clock, stream, events } = setUp();
  const one = stream('web-1');
  one.declare([REVIEWS]);
  one.lose();
  await clock.pass(9_999);
  stream('web-1').declare([REVIEWS]);
  await clock.pass(60_000);
  expect(events).toEqual(['+reviews']);
});

it('takes a process away whose stream does not come back', async () => {
  const { clock, stream, events } = setUp();
  const one = stream('web-1');
  one.declare([REVIEWS]);
  one.lose();
  await clock.pass(10_000);
  expect(events).toEqual(['+reviews', '-reviews']);
  expect(clock.pending()).toEqual([]);
});

it('takes a process away at once that says it serves nothing any more', () => {
  const { clock, stream, events } = setUp();
  const one = stream('web-1');
  one.declare([REVIEWS, RATINGS]);
  one.declare([RATINGS]);
  one.declare([]);
  one.lose();
  expect(events).toEqual(['+reviews', '+ratings', '-reviews', '-ratings']);
  expect(clock.pending()).toEqual([]);
});

it('takes away at once what waits for a lost stream when the process comes back without it', () => {
  const { stream, events } = setUp();
  const one = stream('web-1');
  one.declare([REVIEWS, RATINGS]);
  one.lose();
  stream('web-1').declare([RATINGS]);
  expect(events).toEqual(['+reviews', '+ratings', '-reviews']);
});

it('lets a new stream take over from one that is not known to be lost yet', async () => {
  const { clock, stream, events } = setUp();
  const old = stream('web-1');
  old.declare([REVIEWS]);
  stream('web-1').declare([REVIEWS]);
  old.lose();
  await clock.pass(60_000);
  expect(events).toEqual(['+reviews']);
});

it('keeps what one of many streams of a node serves while another serves nothing or ends', async () => {
  const { clock, stream, events } = setUp();
  const serving = stream('web-1');
  const thread = stream('web-1');
  serving.declare([REVIEWS]);
  thread.declare([]);
  thread.declare([RATINGS]);
  thread.declare([]);
  thread.lose();
  await clock.pass(60_000);
  expect(events).toEqual(['+reviews', '+ratings', '-ratings']);
});

it('leaves no trace of a process that never served anything', () => {
  const { clock, stream, events } = setUp();
  const one = stream('web-1');
  one.declare([]);
  one.lose();
  expect([events, clock.pending()]).toEqual([[], []]);
});
