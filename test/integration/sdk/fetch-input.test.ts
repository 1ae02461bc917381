import { FormData as NpmFormData, Request as NpmRequest } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, type World, world } from './world.ts';

/** The same call through the mesh and through undici's own fetch, to the same origin. */
let origin: Origin;
let at: World;
let aside: string;
let answer: Parameters<typeof startOrigin>[0];

beforeAll(async () => {
  origin = await startOrigin((request, response, body) => answer?.(request, response, body));
  aside = `http://127.0.0.1:${origin.port}`;
  at = await world(service('echo', { v1: origin.port }) + rules('echo', '- route: [{ destination: { host: echo } }]'));
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
});
afterEach(() => {
  answer = (_request, response) => response.end('ok');
});
answer = (_request, response) => response.end('ok');

type Make = (base: string) => readonly [input: unknown, init?: object];

/** What both sent, without what differs by nature. */
async function both(make: Make): Promise<[ours: unknown, theirs: unknown]> {
  const one = async (fetcher: typeof fetch, base: string) => {
    const [input, init] = make(base);
    const before = origin.received.length;
    const response = await fetcher(input as string, init as RequestInit);
    await response.text();
    const sent = origin.received.slice(before).at(-1);
    const { host, connection: _connection, ...headers } = sent?.headers ?? {};
    const body = sent?.body.replaceAll(/-*formdata-(undici|inmesh)-[\da-f]+/g, 'B');
    if (headers['content-type']?.startsWith('multipart')) {
      headers['content-type'] = 'multipart';
      headers['content-length'] = headers['content-length'] && 'known';
    }
    return { method: sent?.method, url: sent?.url, headers, body, hasHost: host !== undefined };
  };
  return [await one(at.mesh.fetch, 'http://echo'), await one(fetch, aside)];
}

const bytes = new TextEncoder().encode('bytes');
const form = (Class: typeof FormData) => {
  const data = new Class();
  data.append('a', '1');
  data.append('f', new Blob(['file'], { type: 'text/plain' }), 'f.txt');
  return data;
};

describe('every form of input is sent as fetch sends it', () => {
  it.each<[string, Make]>([
    ['a string', (base) => [`${base}/a?b=c#d`]],
    ['a URL', (base) => [new URL('/a b?ü=é', base)]],
    ['dot segments', (base) => [`${base}/a/../b/./c/%2e%2e/d`]],
    ['a trailing question mark', (base) => [`${base}/a?`]],
    ['a global Request', (base) => [new Request(`${base}/r`)]],
    ['an object that is a URL by toString', (base) => [{ toString: () => `${base}/t` }]],
    ['headers as a record', (base) => [base, { headers: { 'X-One': '1', 'x-two': ' 2 ' } }]],
    [
      'headers as pairs, repeated',
      (base) => [
        base,
        {
          headers: [
            ['x-a', '1'],
            ['X-A', '2'],
          ],
        },
      ],
    ],
    ['Headers', (base) => [base, { headers: new Headers({ accept: 'text/html', 'x-a': '1' }) }]],
    [
      'several cookies',
      (base) => [
        base,
        {
          headers: [
            ['cookie', 'a=1'],
            ['cookie', 'b=2'],
          ],
        },
      ],
    ],
    ['a string body', (base) => [base, { method: 'POST', body: 'text' }]],
    [
      'a string body with its own type',
      (base) => [base, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
    ],
    ['an empty body', (base) => [base, { method: 'POST', body: '' }]],
    ['POST without body', (base) => [base, { method: 'POST' }]],
    ['PUT without body', (base) => [base, { method: 'put' }]],
    ['DELETE with a body', (base) => [base, { method: 'delete', body: 'x' }]],
    ['patch stays lower case', (base) => [base, { method: 'PATCH', body: 'x' }]],
    ['a method of one’s own', (base) => [base, { method: 'PURGE' }]],
    ['bytes', (base) => [base, { method: 'POST', body: bytes }]],
    ['an ArrayBuffer', (base) => [base, { method: 'POST', body: bytes.buffer }]],
    ['a DataView', (base) => [base, { method: 'POST', body: new DataView(bytes.buffer, 1, 2) }]],
    ['a Blob', (base) => [base, { method: 'POST', body: new Blob(['blob'], { type: 'Text/Plain' }) }]],
    ['a Blob without type', (base) => [base, { method: 'POST', body: new Blob(['blob']) }]],
    ['URLSearchParams', (base) => [base, { method: 'POST', body: new URLSearchParams({ a: '1 2' }) }]],
    ['FormData', (base) => [base, { method: 'POST', body: form(FormData) }]],
    ['a web stream', (base) => [base, { method: 'POST', body: new Blob(['stream']).stream(), duplex: 'half' }]],
    [
      'an async iterable',
      (base) => [
        base,
        {
          method: 'POST',
          duplex: 'half',
          body: (async function* () {
            yield bytes;
            yield bytes;
          })(),
        },
      ],
    ],
    ['cache: no-store', (base) => [base, { cache: 'no-store', headers: { 'cache-control': 'mine' } }]],
    ['cache: no-cache', (base) => [base, { cache: 'no-cache' }]],
    ['cache: reload', (base) => [new Request(base, { cache: 'reload' })]],
    ['cache: force-cache', (base) => [base, { cache: 'force-cache' }]],
    ['keepalive', (base) => [base, { keepalive: true }]],
    ['null headers and body', (base) => [base, { headers: undefined, body: null }]],
    [
      'a content-length that is right',
      (base) => [base, { method: 'POST', body: 'four', headers: { 'content-length': '4' } }],
    ],
    [
      'accept-language and user-agent of the caller',
      (base) => [base, { headers: { 'accept-language': 'de', 'user-agent': 'me' } }],
    ],
    ['an object as body', (base) => [base, { method: 'POST', body: { toString: () => 'object' } }]],
  ])('%s', async (_what, make) => {
    const [ours, theirs] = await both(make);
    expect(ours).toEqual(theirs);
  });

  it.each([
    ['the platform’s', Request],
    ['npm undici’s', NpmRequest as unknown as typeof Request],
  ])('a Request of %s origin: method, headers, streamed body, init over it', async (_what, Class) => {
    const request = new Class('http://echo/r', { method: 'PUT', body: 'body', headers: { 'x-a': '1' } });
    await (await at.mesh.fetch(request)).text();
    expect(origin.received.at(-1)).toMatchObject({ method: 'PUT', url: '/r', body: 'body', headers: { 'x-a': '1' } });
    expect(origin.received.at(-1)?.headers['content-type']).toMatch(/text\/plain/);
    expect(request.bodyUsed).toBe(true);
    await expect(at.mesh.fetch(request)).rejects.toThrow(TypeError);
    const other = new Class('http://echo/r', { method: 'POST', body: 'body', headers: { 'x-a': '1' } });
    await (await at.mesh.fetch(other, { method: 'PATCH', body: 'mine', headers: { 'x-b': '2' } })).text();
    const sent = origin.received.at(-1);
    expect(sent).toMatchObject({ method: 'PATCH', body: 'mine', headers: { 'x-b': '2' } });
    expect(sent?.headers['x-a']).toBeUndefined();
  });

  it('FormData of npm undici is a form too, which the platform’s fetch does not take', async () => {
    await (await at.mesh.fetch('http://echo/', { method: 'POST', body: form(NpmFormData as never) })).text();
    expect(origin.received.at(-1)?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(origin.received.at(-1)?.body).toContain('name="f"; filename="f.txt"');
  });

  it('a stream that gives text is refused', async () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue('text') });
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    await expect(at.mesh.fetch('http://echo/', init)).rejects.toThrow(TypeError);
  });

  it('a large stream under back-pressure arrives whole', async () => {
    const size = 3_000_000;
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        const chunk = new Uint8Array(50_000).fill(97);
        pulled += chunk.byteLength;
        controller.enqueue(chunk);
        if (pulled >= size) controller.close();
      },
    });
    await (await at.mesh.fetch('http://echo/', { method: 'POST', body, duplex: 'half' } as RequestInit)).text();
    expect(origin.received.at(-1)?.body.length).toBe(size);
  });

  it('data: and blob: are answered as by fetch', async () => {
    const url = URL.createObjectURL(new Blob(['blob'], { type: 'text/x' }));
    for (const input of ['data:text/plain;base64,aGk=', url]) {
      const [ours, theirs] = [await at.mesh.fetch(input), await fetch(input)];
      expect(ours).toMatchObject({ status: 200, type: theirs.type, url: theirs.url });
      expect([await ours.text(), ours.headers.get('content-type')]).toEqual([
        await theirs.text(),
        theirs.headers.get('content-type'),
      ]);
    }
    URL.revokeObjectURL(url);
    await expect(at.mesh.fetch(url)).rejects.toThrow(TypeError);
  });
});

describe('what fetch refuses, meshFetch refuses with the same kind of error', () => {
  it.each<[string, Make]>([
    ['no argument', () => [undefined]],
    ['a relative URL', () => ['/a']],
    ['an empty string', () => ['']],
    ['credentials', (base) => [base.replace('//', '//u:p@')]],
    ['a forbidden method', (base) => [base, { method: 'CONNECT' }]],
    ['a method with a space', (base) => [base, { method: 'A B' }]],
    ['a header name with a space', (base) => [base, { headers: { 'a b': '1' } }]],
    ['a header value with a line break', (base) => [base, { headers: { a: '1\r\nx: y' } }]],
    ['a header value beyond Latin-1', (base) => [base, { headers: { a: '☃' } }]],
    ['header pairs of three', (base) => [base, { headers: [['a', 'b', 'c']] }]],
    ['GET with a body', (base) => [base, { body: 'x' }]],
    ['HEAD with a body', (base) => [base, { method: 'HEAD', body: 'x' }]],
    ['a stream without duplex', (base) => [base, { method: 'POST', body: new Blob(['x']).stream() }]],
    ['duplex: full', (base) => [base, { method: 'POST', body: 'x', duplex: 'full' }]],
    [
      'a locked stream',
      (base) => {
        const body = new Blob(['x']).stream();
        body.getReader();
        return [base, { method: 'POST', body, duplex: 'half' }];
      },
    ],
    ['a mode of nobody', (base) => [base, { mode: 'sideways' }]],
    ['mode: navigate', (base) => [base, { mode: 'navigate' }]],
    ['a signal that is none', (base) => [base, { signal: 'stop' }]],
    ['a redirect mode of nobody', (base) => [base, { redirect: 'maybe' }]],
    ['a cache mode of nobody', (base) => [base, { cache: 'sometimes' }]],
    ['init that is no object', (base) => [base, 7 as never]],
    ['window', (base) => [base, { window: {} }]],
    ['an unknown scheme', () => ['gopher://echo/']],
    ['file:', () => ['file:///etc/hostname']],
    ['a bad port', () => ['http://echo:99999/']],
    [
      'content-length that is wrong',
      (base) => [base, { method: 'POST', body: 'four', headers: { 'content-length': '9' } }],
    ],
    ['redirect: error', (base) => [`${base}/redirect`, { redirect: 'error' }]],
    ['redirects without end', (base) => [`${base}/redirect`]],
    ['a redirect to another scheme', (base) => [`${base}/mail`]],
    ['a redirect with credentials', (base) => [`${base}/credentials`]],
    ['a redirect that is no URL', (base) => [`${base}/broken`]],
    [
      'a stream and 307',
      (base) => [`${base}/temporary`, { method: 'POST', duplex: 'half', body: new Blob(['x']).stream() }],
    ],
  ])('%s', async (_what, make) => {
    const places: Record<string, string> = {
      '/redirect': '/redirect',
      '/mail': 'mailto:a@b',
      '/credentials': 'http://a:b@other.example:x/',
      '/broken': 'http://[',
      '/temporary': '/x',
    };
    answer = (request, response) => {
      const location = places[request.url ?? ''];
      if (location !== undefined) response.writeHead(307, { location });
      response.end();
    };
    const run = async (fetcher: typeof fetch, base: string) => {
      try {
        const [input, init] = make(base);
        const response = await fetcher(input as string, init as RequestInit);
        return `resolved ${response.status}`;
      } catch (error) {
        return `${(error as Error).constructor.name}: ${(error as Error).name}`;
      }
    };
    expect(await run(at.mesh.fetch, 'http://echo')).toBe(await run(fetch, aside));
  });
});

describe('redirects', () => {
  it('of the origin enter routing again: another service, another rule', async () => {
    await using other = await startOrigin((_request, response) => response.end('other'));
    await using here = await world(
      service('echo', { v1: origin.port }) +
        service('other', { v1: other.port }) +
        rules('other', '- route: [{ destination: { host: other, subset: v1 } }]'),
    );
    answer = (_request, response) => response.writeHead(302, { location: 'http://other/there' }).end();
    const response = await here.mesh.fetch('http://echo/', { headers: { authorization: 'secret', 'x-keep': '1' } });
    expect([await response.text(), response.url, response.redirected]).toEqual(['other', 'http://other/there', true]);
    expect(response.mesh?.cluster).toBe('outbound|80|v1|other.default.svc.cluster.local');
    expect(other.received[0]?.headers.authorization).toBeUndefined();
    expect(other.received[0]?.headers).toMatchObject({ 'x-keep': '1', host: 'other' });
  });

  it.each(
    [301, 302, 303, 307, 308].flatMap((status) => ['GET', 'HEAD', 'POST', 'PUT'].map((method) => [status, method])),
  )('%d of a %s ends as with fetch', async (status, method) => {
    answer = (request, response) => {
      if (request.url === '/end') response.end();
      else response.writeHead(Number(status), { location: '/end#there' }).end();
    };
    const init = {
      method: String(method),
      headers: { 'content-language': 'de', 'x-a': '1' },
      ...(method === 'POST' || method === 'PUT' ? { body: 'x' } : {}),
    };
    const [ours, theirs] = await both((base) => [`${base}/begin#here`, init]);
    expect(ours).toEqual(theirs);
    const [one, two] = [await at.mesh.fetch('http://echo/begin#here'), await fetch(`${aside}/begin#here`)];
    expect(new URL(one.url).hash).toBe(new URL(two.url).hash);
  });
});
