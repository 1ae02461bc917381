import { inspect } from 'node:util';
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { createFakeClock } from '../../../../test/harness/fake-clock.ts';
import { systemClock } from '../../clock.ts';
import { LeanResponse } from './lean-response.ts';
import { ResponseBody } from './response-body.ts';

const HEAD = { status: 200, statusText: 'OK', url: 'http://a/x#y', redirected: false, story: () => undefined };

function make(chunks: readonly (string | Uint8Array)[] | null, headers: readonly string[] = [], end = true) {
  const log: string[] = [];
  const body = new ResponseBody({ resume: () => log.push('resume'), abort: () => log.push('abort') }, systemClock);
  for (const chunk of chunks ?? []) body.push(Buffer.from(chunk as Uint8Array));
  if (end) body.end();
  return { response: LeanResponse.create({ ...HEAD, headers }, chunks === null ? null : body), body, log };
}

describe('the lean Response', () => {
  it("overrides every member of the platform's: the inherited ones would throw", () => {
    const { response } = make(['x']);
    const own = LeanResponse.prototype;
    const inherited = [...Object.getOwnPropertyNames(Response.prototype), inspect.custom, Symbol.toStringTag].filter(
      (name) => !Object.hasOwn(own, name),
    );
    // What is left works on public members alone.
    expect(inherited).toEqual([inspect.custom, Symbol.toStringTag]);
    expect(response).toBeInstanceOf(Response);
    expect(response.constructor).toBe(Response);
    expect(Object.prototype.toString.call(response)).toBe('[object Response]');
    expect(inspect(response)).toContain('status: 200');
  });

  it('answers every getter as the platform does', () => {
    const { response } = make(['x'], ['content-type', 'text/plain', 'set-cookie', 'a=1', 'set-cookie', 'b=2']);
    expect(response).toMatchObject({
      status: 200,
      ok: true,
      statusText: 'OK',
      type: 'basic',
      url: 'http://a/x',
      redirected: false,
      bodyUsed: false,
    });
    expect(response.headers).toBeInstanceOf(Headers);
    expect(response.headers.get('Content-Type')).toBe('text/plain');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(response.headers).toBe(response.headers);
    expect(() => response.headers.set('a', 'b')).toThrow(TypeError);
    expect(new Headers(response.headers).get('content-type')).toBe('text/plain');
  });

  it.each([
    ['text', async (response: Response) => expect(await response.text()).toBe('héllo')],
    ['bytes', async (response: Response) => expect(Buffer.from(await response.bytes()).toString()).toBe('héllo')],
    [
      'arrayBuffer',
      async (response: Response) => expect(Buffer.from(await response.arrayBuffer()).toString()).toBe('héllo'),
    ],
    ['blob', async (response: Response) => expect((await response.blob()).type).toBe('text/x')],
    ['body', async (response: Response) => expect(await new Response(response.body).text()).toBe('héllo')],
    [
      'a response of the platform',
      async (response: Response) => expect(await new Response(response.body, response).text()).toBe('héllo'),
    ],
  ])('gives its body as %s, across pieces that cut a character', async (_as, check) => {
    const bytes = Buffer.from('héllo');
    await check(make([bytes.subarray(0, 2), bytes.subarray(2)], ['content-type', 'text/x']).response);
  });

  it('gives JSON, and what is no JSON is a SyntaxError', async () => {
    expect(await make(['{"a":', '1}']).response.json()).toEqual({ a: 1 });
    await expect(make(['']).response.json()).rejects.toThrow(SyntaxError);
  });

  it('gives form data, and TypeError where it is none', async () => {
    const type = ['content-type', 'application/x-www-form-urlencoded'];
    expect((await make(['a=b'], type).response.formData()).get('a')).toBe('b');
    await expect(make(['a=b']).response.formData()).rejects.toThrow(TypeError);
  });

  it('removes a byte order mark from text', async () => {
    expect(await make([Buffer.from([0xef, 0xbb, 0xbf, 0x41])]).response.text()).toBe('A');
  });

  it("gives bytes that are the caller's own", async () => {
    const { response } = make(['abc']);
    const bytes = await response.bytes();
    expect(bytes.buffer.byteLength).toBe(3);
    expect(Buffer.isBuffer(bytes)).toBe(false);
  });

  it('is read once', async () => {
    const { response } = make(['x']);
    await response.text();
    expect(response.bodyUsed).toBe(true);
    expect(response.body?.locked).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
    expect(() => response.clone()).toThrow(TypeError);
  });

  it('is unusable while its stream is locked, and used once somebody has read from it', async () => {
    const { response } = make(['x', 'y']);
    const reader = response.body?.getReader();
    expect(response.bodyUsed).toBe(false);
    await expect(response.text()).rejects.toThrow(TypeError);
    await reader?.read();
    reader?.releaseLock();
    expect(response.bodyUsed).toBe(true);
  });

  it('can still be read whole after its stream has only been looked at', async () => {
    const { response } = make(['x', 'y']);
    expect(response.body?.locked).toBe(false);
    expect(await response.text()).toBe('xy');
  });

  it('is cloned with its own copy of the body', async () => {
    const { response } = make(['x', 'y'], ['a', 'b']);
    const clone = response.clone();
    expect(await response.text()).toBe('xy');
    expect(await clone.text()).toBe('xy');
    expect(clone.headers.get('a')).toBe('b');
    expect(clone).toBeInstanceOf(Response);
  });

  it('has no body where HTTP has none', async () => {
    const { response } = make(null);
    expect(response.body).toBeNull();
    expect(await response.text()).toBe('');
    expect(response.bodyUsed).toBe(false);
    expect(await response.clone().text()).toBe('');
  });

  it('reads a byte stream into the buffer of a BYOB reader', async () => {
    const { response } = make(['abc']);
    const reader = response.body?.getReader({ mode: 'byob' });
    const { value } = (await reader?.read(new Uint8Array(8))) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe('abc');
    expect((await reader?.read(new Uint8Array(8)))?.done).toBe(true);
  });

  it('waits for what has not come, and passes pieces on as they come', async () => {
    const { response, body } = make(['a'], [], false);
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('a');
    const next = reader?.read();
    body.push(Buffer.from('b'));
    expect(Buffer.from((await next)?.value ?? []).toString()).toBe('b');
    body.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  it('fails its reader with what the body failed with', async () => {
    const { response, body } = make(['a'], [], false);
    const text = response.text();
    const failure = new TypeError('terminated');
    body.fail(failure);
    await expect(text).rejects.toBe(failure);
  });

  it('gives the call up when its stream is cancelled', async () => {
    const { response, log } = make(['a'], [], false);
    await response.body?.cancel('enough');
    expect(log).toEqual(['abort']);
  });
});

describe('the body of a response', () => {
  const big = Buffer.alloc(40_000);

  it('is collected up to 64 KiB unread, then holds the sender up', () => {
    const { body } = make([], [], false);
    expect([body.push(big), body.push(big)]).toEqual([true, false]);
  });

  it('lets the sender go on when there is room again', async () => {
    const { body, log } = make([], [], false);
    body.push(big);
    body.push(big);
    expect((await body.next())?.byteLength).toBe(40_000);
    expect(log).toEqual(['resume']);
  });

  it('that nobody reads is given up after a minute, unless somebody begins to', async () => {
    for (const reads of [false, true]) {
      const clock = createFakeClock();
      const log: unknown[] = [];
      const body = new ResponseBody({ resume() {}, abort: (reason) => log.push(reason) }, clock);
      const failure = new Error('nobody read it');
      expect(body.watch(() => failure)).toBe(true);
      if (reads) body.startReading();
      await clock.pass(60_000);
      expect(log).toEqual(reads ? [] : [failure]);
    }
  });

  it('has no limit while somebody wants all of it', async () => {
    const { body, log, response } = make([], [], false);
    body.push(big);
    body.push(big);
    const whole = response.arrayBuffer();
    expect(log).toEqual(['resume']);
    expect([body.push(big), body.push(big)]).toEqual([true, true]);
    body.end();
    expect((await whole).byteLength).toBe(160_000);
  });
});

describe('a response that is dropped', () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;

  it.each<[string, (response: Response) => unknown]>([
    ['cancelled', (response) => response.body?.cancel()],
    ['read whole', (response) => response.text()],
    ['read as a stream', (response) => response.body?.getReader().read()],
    ['never read', () => {}],
  ])('holds nothing of its call: %s', async (how, use) => {
    const calls = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const call = { resume() {}, abort() {} };
        const body = new ResponseBody(call, systemClock);
        body.push(Buffer.from('x'));
        const response = LeanResponse.create({ ...HEAD, headers: [] }, body);
        LeanResponse.watch(response, body);
        const using = use(response);
        if (how !== 'never read') body.end();
        await using;
        return new WeakRef(call);
      }),
    );
    await vi.waitFor(() => {
      collect();
      expect(calls.filter((call) => call.deref() !== undefined)).toEqual([]);
    });
  });
});
