import { Readable } from 'node:stream';
import { FormData as UndiciFormData, Request as UndiciRequest } from 'undici';
import { describe, expect, it } from 'vitest';
import { bodyOfRequest, extractBody, type RequestBody, withLength } from './request-body.ts';

async function read(body: RequestBody): Promise<string> {
  const opened = await body.open();
  if (opened.kind === 'none') return '';
  if (opened.kind === 'bytes') return Buffer.from(opened.bytes).toString();
  let text = '';
  for await (const chunk of opened.stream) text += Buffer.from(chunk).toString();
  return text;
}

describe('a request body', () => {
  it.each([
    ['a string', 'hé', 'text/plain;charset=UTF-8', 'hé'],
    ['bytes', new TextEncoder().encode('abc').subarray(1), undefined, 'bc'],
    ['an ArrayBuffer', new TextEncoder().encode('abc').buffer, undefined, 'abc'],
    ['a DataView', new DataView(new TextEncoder().encode('abc').buffer, 1, 1), undefined, 'b'],
    ['URLSearchParams', new URLSearchParams({ a: 'b c' }), 'application/x-www-form-urlencoded;charset=UTF-8', 'a=b+c'],
    ['a Blob', new Blob(['ab'], { type: 'text/x' }), 'text/x', 'ab'],
    ['a Blob without a type', new Blob(['ab']), undefined, 'ab'],
    [
      'any other object',
      Object.assign(Object.create(null), { toString: (): string => 'me' }),
      'text/plain;charset=UTF-8',
      'me',
    ],
  ])('of %s is sent as fetch sends it, and can be sent again', async (_what, value, contentType, text) => {
    const body = extractBody(value);
    expect(body).toMatchObject({ contentType, replayable: true });
    expect(body.length).toBe(Buffer.byteLength(text));
    expect([await read(body), await read(body)]).toEqual([text, text]);
  });

  it('of bytes is a copy: what was handed over is what is sent', async () => {
    const bytes = Buffer.from('abc');
    const body = extractBody(bytes);
    bytes.fill(0);
    expect(await read(body)).toBe('abc');
  });

  it.each([
    ['the platform', FormData],
    ['undici', UndiciFormData],
  ])('takes FormData of %s', async (_origin, Form) => {
    const form = new Form();
    form.append('a"b', 'x\ny');
    form.append('f', new Blob(['data'], { type: 'text/x' }), 'n.txt');
    const body = extractBody(form);
    const text = await read(body);
    expect(Buffer.byteLength(text)).toBe(body.length);
    const parsed = await new Response(text, { headers: { 'content-type': body.contentType ?? '' } }).formData();
    expect(parsed.get('a"b')).toBe('x\r\ny');
    expect(await (parsed.get('f') as File).text()).toBe('data');
    expect((parsed.get('f') as File).name).toBe('n.txt');
  });

  it('of a stream can be sent once, and only if nobody has read it', async () => {
    const body = extractBody(new Blob(['ab']).stream());
    expect(body.replayable).toBe(false);
    expect(await read(body)).toBe('ab');
    const used = new Blob(['ab']).stream();
    await used.getReader().read();
    expect(() => extractBody(used)).toThrow(TypeError);
  });

  it.each([
    ['a Readable', () => Readable.from([Buffer.from('a'), Buffer.from('b')])],
    [
      'a generator',
      () =>
        (async function* () {
          yield 'a';
          yield Buffer.from('b');
        })(),
    ],
  ])('of %s is read as it goes', async (_what, make) => expect(await read(extractBody(make()))).toBe('ab'));

  it('of a stream of anything but bytes fails as in fetch', async () => {
    const stream = new ReadableStream({
      start: (controller) => {
        controller.enqueue('text');
        controller.close();
      },
    });
    await expect(read(extractBody(stream))).rejects.toThrow('Received non-Uint8Array chunk');
  });

  it('has the length its header says, and never another than its own', async () => {
    expect(() => withLength(extractBody('abc'), 4)).toThrow(
      expect.objectContaining({ code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' }),
    );
    expect(withLength(extractBody('abc'), 3).length).toBe(3);
    expect(await withLength(extractBody(new Blob(['ab']).stream()), 2).open()).toMatchObject({
      kind: 'stream',
      length: 2,
    });
  });
});

describe('the body of a Request', () => {
  it.each([
    ['the platform', Request],
    ['undici', UndiciRequest],
  ])('of %s is bytes when it is at hand, as fetch would send it', async (_origin, Class) => {
    const body = bodyOfRequest(new Class('http://a', { method: 'POST', body: 'hello' }));
    const opened = await body.open();
    expect(opened.kind).toBe('bytes');
    expect(await read({ ...body, open: () => opened })).toBe('hello');
  });

  it('is a stream when more is to come', async () => {
    const stream = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from('a'));
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        controller.enqueue(Buffer.from('b'));
        controller.close();
      },
    });
    const opened = await bodyOfRequest(
      new Request('http://a', { method: 'POST', body: stream, duplex: 'half' } as RequestInit),
    ).open();
    expect(opened.kind).toBe('stream');
    expect(await read({ ...extractBody('x'), open: () => opened })).toBe('ab');
  });

  it('that has been read is refused', async () => {
    const request = new Request('http://a', { method: 'POST', body: 'x' });
    await request.text();
    expect(() => bodyOfRequest(request)).toThrow(TypeError);
  });
});
