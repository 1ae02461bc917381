import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFakeClock, type FakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { MeshError } from '../errors.ts';
import type { MeshFetch } from '../http/fetch/mesh-fetch.ts';
import type { Breaker, BreakerEvent, BreakerOptions } from './breaker.ts';
import { type Breakers, createBreakers } from './breakers.ts';

/** opossum has its own timers: these are its time. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const URL_OF = 'http://reviews:9080/1';
const OPTIONS: BreakerOptions = { volumeThreshold: 4, resetMs: 30_000 };

type Answer = number | Error | 'never';

/** An upstream that answers as it is told, the last answer for ever. */
function upstream(...answers: Answer[]) {
  const asked: string[] = [];
  const cancelled: unknown[] = [];
  const fetch: MeshFetch = (input, init) => {
    asked.push(String(input));
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) return Promise.reject(answer);
    if (typeof answer === 'number') return Promise.resolve(new Response(`${answer}`, { status: answer }));
    return new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => {
        cancelled.push(init.signal?.reason);
        reject(init.signal?.reason);
      });
    });
  };
  return { fetch, asked, cancelled };
}

function heard(breaker: Breaker): string[] {
  const events: string[] = [];
  breaker.on((event: BreakerEvent) =>
    events.push('reason' in event ? `${event.kind} ${event.reason.kind}` : event.kind),
  );
  return events;
}

function made(fetch: MeshFetch): { readonly breakers: Breakers; readonly clock: FakeClock } {
  const clock = createFakeClock();
  return { breakers: createBreakers(fetch, clock), clock };
}

async function times(count: number, breaker: Breaker): Promise<string[]> {
  const results: string[] = [];
  for (let n = 0; n < count; n++) {
    results.push(
      await breaker.fetch(URL_OF).then(
        ({ status }) => String(status),
        (error: unknown) => (error instanceof MeshError ? error.code : String(error)),
      ),
    );
  }
  return results;
}

describe('a breaker', () => {
  it('opens after failures, lets one call through after a while, closes when that succeeds', async () => {
    const { fetch, asked } = upstream(500, 500, 500, 500, 200);
    const breaker = made(fetch).breakers.of('reviews:9080', OPTIONS);
    const events = heard(breaker);
    expect(await times(6, breaker)).toEqual(['500', '500', '500', '500', 'MESH_BREAKER_OPEN', 'MESH_BREAKER_OPEN']);
    expect(asked).toHaveLength(4);
    expect(breaker.state).toBe('open');
    vi.advanceTimersByTime(29_999);
    expect(breaker.state).toBe('open');
    vi.advanceTimersByTime(1);
    expect(breaker.state).toBe('half-open');
    expect(await times(2, breaker)).toEqual(['200', '200']);
    expect(breaker.state).toBe('closed');
    expect(events).toEqual([
      ...Array<string>(4).fill('failure answer'),
      'open',
      'reject',
      'reject',
      'half-open',
      'close',
      'success',
      'success',
    ]);
  });

  it('while half-open lets one call through alone, and opens again when it fails', async () => {
    const { fetch, asked } = upstream(500);
    const breaker = made(fetch).breakers.of('reviews:9080', OPTIONS);
    await times(4, breaker);
    vi.advanceTimersByTime(30_000);
    const both = await Promise.all([times(1, breaker), times(1, breaker)]);
    expect(both).toEqual([['500'], ['MESH_BREAKER_OPEN']]);
    expect(asked).toHaveLength(5);
    expect(breaker.state).toBe('open');
  });

  it('stays closed on fewer calls than volumeThreshold, and at errorThresholdPercent', async () => {
    const few = made(upstream(500).fetch).breakers.of('reviews:9080', { volumeThreshold: 10 });
    await times(9, few);
    expect(few.state).toBe('closed');
    await times(1, few);
    expect(few.state).toBe('open');
    const half = made(upstream(200, 200, 500, 500, 500).fetch).breakers.of('reviews:9080', OPTIONS);
    await times(4, half);
    expect(half.state).toBe('closed');
    await times(1, half);
    expect(half.state).toBe('open');
  });

  it('forgets failures once they are ten seconds old', async () => {
    const { breakers, clock } = made(upstream(500).fetch);
    const breaker = breakers.of('reviews:9080', OPTIONS);
    await times(3, breaker);
    expect(breaker.stats()).toMatchObject({ calls: 3, failures: 3 });
    await clock.pass(10_000);
    expect(breaker.stats()).toMatchObject({ calls: 0, failures: 0 });
  });

  it('takes an answer for a failure where isFailure says so', async () => {
    const isFailure = ({ status }: Response): boolean => status === 404;
    const breaker = made(upstream(404).fetch).breakers.of('reviews:9080', { ...OPTIONS, isFailure });
    expect(await times(5, breaker)).toEqual(['404', '404', '404', '404', 'MESH_BREAKER_OPEN']);
  });

  it.each([
    [new MeshError('MESH_CONNECT_FAILED', 'refused', { status: 503 }), 4],
    [new TypeError('fetch failed', { cause: new Error('ECONNRESET') }), 4],
    [new MeshError('MESH_NO_ROUTE', 'no route', { status: 404 }), 0],
    [new TypeError('invalid header'), 0],
  ])('counts what fetch rejects with only where the upstream may be at fault: %s', async (error, failures) => {
    const breaker = made(upstream(error).fetch).breakers.of('reviews:9080', OPTIONS);
    await times(4, breaker);
    expect(breaker.stats().failures).toBe(failures);
  });

  it('ends a call whose answer takes too long: MESH_TIMEOUT, and the call is cancelled', async () => {
    const { fetch, cancelled } = upstream('never');
    const breaker = made(fetch).breakers.of('reviews:9080', { ...OPTIONS, timeoutMs: 1_000 });
    const events = heard(breaker);
    const call = times(1, breaker);
    await settle();
    await settle();
    vi.advanceTimersByTime(1_000);
    expect(await call).toEqual(['MESH_TIMEOUT']);
    expect(cancelled).toMatchObject([{ code: 'MESH_TIMEOUT' }]);
    expect(events).toEqual(['timeout', 'failure timeout']);
    expect(breaker.stats()).toMatchObject({ calls: 1, failures: 1, timeouts: 1 });
  });

  it('calls the fallback with the request and the reason, in the order failure, open, fallback', async () => {
    const answers = upstream(500, new TypeError('fetch failed', { cause: 1 }), 'never');
    const reasons: string[] = [];
    const breaker = made(answers.fetch).breakers.of('reviews:9080', {
      volumeThreshold: 3,
      timeoutMs: 1_000,
      fallback({ url, init }, reason) {
        const what = reason.kind === 'answer' ? reason.response.status : String(reason.error);
        reasons.push(`${init?.method} ${url} ${reason.kind} ${what}`);
        return new Response('from the shelf');
      },
    });
    const events = heard(breaker);
    const call = async () => (await breaker.fetch(URL_OF, { method: 'PUT' })).text();
    expect([await call(), await call()]).toEqual(['from the shelf', 'from the shelf']);
    const late = call();
    await settle();
    await settle();
    vi.advanceTimersByTime(1_000);
    expect([await late, await call()]).toEqual(['from the shelf', 'from the shelf']);
    expect(reasons).toEqual([
      `PUT ${URL_OF} answer 500`,
      `PUT ${URL_OF} error TypeError: fetch failed`,
      `PUT ${URL_OF} timeout MeshError: [MESH_TIMEOUT] reviews:9080: no answer within 1000 ms — timeoutMs of the host's breaker sets this`,
      expect.stringMatching(/open MeshError: \[MESH_BREAKER_OPEN\] the breaker of reviews:9080 is open/),
    ]);
    expect(events).toEqual([
      ...['failure answer', 'fallback answer', 'failure error', 'fallback error'],
      ...['timeout', 'failure timeout', 'open', 'fallback timeout', 'reject', 'fallback open'],
    ]);
    expect(answers.cancelled).toHaveLength(1);
    expect(breaker.stats()).toEqual({
      state: 'open',
      calls: 4,
      successes: 0,
      failures: 3,
      timeouts: 1,
      rejects: 1,
      fallbacks: 4,
    });
  });

  it('gives the caller what the fallback throws', async () => {
    const fallback = () => {
      throw new RangeError('nothing on the shelf');
    };
    const breaker = made(upstream(500).fetch).breakers.of('reviews:9080', { fallback });
    expect(await times(1, breaker)).toEqual(['RangeError: nothing on the shelf']);
  });

  it('lets go of a failed answer that the fallback did not use', async () => {
    const answer = new Response('long', { status: 500 });
    const breaker = made(async () => answer).breakers.of('reviews:9080', { fallback: () => new Response() });
    await breaker.fetch(URL_OF);
    expect(answer.bodyUsed || (await answer.text()) === '').toBe(true);
    const kept = new Response('kept', { status: 500 });
    const passing = made(async () => kept).breakers.of('reviews:9080', {
      fallback: (_request, reason) => (reason.kind === 'answer' ? reason.response : new Response()),
    });
    expect(await (await passing.fetch(URL_OF)).text()).toBe('kept');
  });

  it('counts a call that its caller gave up neither way; while half-open it waits once more', async () => {
    const { fetch } = upstream(500, 500, 500, 500, 'never');
    const breaker = made(fetch).breakers.of('reviews:9080', OPTIONS);
    await times(4, breaker);
    vi.advanceTimersByTime(30_000);
    const events = heard(breaker);
    const caller = new AbortController();
    const call = breaker.fetch(URL_OF, { signal: caller.signal });
    await settle();
    caller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(breaker.stats()).toMatchObject({ state: 'open', calls: 5, successes: 0, failures: 4 });
    expect(events).toEqual(['open']);
  });

  it('is of its own host alone', async () => {
    const breaker = made(upstream(200).fetch).breakers.of('http://Reviews');
    expect(breaker.host).toBe('reviews:80');
    expect((await breaker.fetch('http://reviews/x')).status).toBe(200);
    await expect(breaker.fetch('http://ratings/x')).rejects.toThrow(
      /MESH_CONFIG_INVALID.*of reviews:80 was asked for ratings:80/,
    );
  });

  it('does not take a listener that throws for a failure', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const breaker = made(upstream(200).fetch).breakers.of('reviews:9080');
    breaker.on(() => {
      throw new Error('mine');
    });
    expect(await times(1, breaker)).toEqual(['200']);
    expect(breaker.stats()).toMatchObject({ successes: 1, failures: 0 });
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  it.each([{ timeoutMs: 0 }, { resetMs: Number.NaN }, { errorThresholdPercent: 100 }, { volumeThreshold: -1 }])(
    '%o is refused',
    (options) => {
      expect(() => made(upstream(200).fetch).breakers.of('reviews:9080', options)).toThrow(/MESH_CONFIG_INVALID/);
    },
  );
});

describe('the breakers of a mesh', () => {
  it('are one a host', () => {
    const { breakers } = made(upstream(200).fetch);
    const first = breakers.of('reviews:9080', OPTIONS);
    expect(breakers.of('REVIEWS:9080')).toBe(first);
    expect(breakers.of('reviews:9081')).not.toBe(first);
  });

  it('removed leaves no timer, and is the mesh alone from then on', async () => {
    const { fetch } = upstream(500);
    const { breakers, clock } = made(fetch);
    const breaker = breakers.of('reviews:9080', OPTIONS);
    await times(4, breaker);
    expect([vi.getTimerCount(), clock.pending()]).toEqual([1, [1_000]]);
    breaker.remove();
    expect([vi.getTimerCount(), clock.pending()]).toEqual([0, []]);
    expect(await times(5, breaker)).toEqual(Array<string>(5).fill('500'));
    expect(breaker.state).toBe('closed');
    expect(breakers.of('reviews:9080')).not.toBe(breaker);
  });

  it('end with the mesh', async () => {
    const { breakers, clock } = made(upstream(500).fetch);
    const breaker = breakers.of('reviews:9080', OPTIONS);
    await times(4, breaker);
    breakers.close();
    expect([vi.getTimerCount(), clock.pending()]).toEqual([0, []]);
    expect(await times(1, breaker)).toEqual(['500']);
    const { status } = await breakers.of('ratings:9080').fetch('http://ratings:9080/');
    expect(status).toBe(500);
    expect(clock.pending()).toEqual([]);
  });

  it('are at most a thousand, whatever hosts are named: the one unused for longest begins anew', async () => {
    const { breakers, clock } = made(upstream(500).fetch);
    const first = breakers.of('host-0:80', { volumeThreshold: 1 });
    const call = (host: string) => breakers.of(host, { volumeThreshold: 1 }).fetch(`http://${host}/`);
    for (let n = 0; n < 10_000; n++) await call(`host-${n}:80`);
    // Each is open: one timer a circuit, and one for all counts.
    expect([vi.getTimerCount(), clock.pending().length]).toEqual([1_000, 1]);
    expect([first.state, breakers.of('host-9999:80').state]).toEqual(['closed', 'open']);
    expect((await first.fetch('http://host-0/')).status).toBe(500);
    expect(first.state).toBe('open');
    expect(breakers.of('host-0:80')).toBe(first);
    breakers.close();
    expect([vi.getTimerCount(), clock.pending()]).toEqual([0, []]);
  });
});
