import { createHash } from 'node:crypto';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, type World, world } from './world.ts';

let origin: Origin;
let at: World;
let aside: string;
let answer: NonNullable<Parameters<typeof startOrigin>[0]> = (_request, response) => response.end('ok');

beforeAll(async () => {
  origin = await startOrigin((request, response, body) => answer(request, response, body));
  aside = `http://127.0.0.1:${origin.port}`;
  at = await world(
    service('echo', { v1: origin.port }) + rules('echo', '- name: all\n  route: [{ destination: { host: echo } }]'),
  );
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
});

/** The same reading of the same answer, of the mesh's Response and of the platform's. */
async function both(read: (response: Response) => unknown, path = '/'): Promise<[unknown, unknown]> {
  const one = async (fetcher: typeof fetch, base: string) => {
    try {
      return await read(await fetcher(base + path));
    } catch (error) {
      return `${(error as Error).name}`;
    }
  };
  return [await one(at.mesh.fetch, 'http://echo'), await one(fetch, aside)];
}

describe('the Response is the platform’s', () => {
  it('by instanceof, constructor, tag and in its own functions', async () => {
    answer = (_request, response) => response.setHeader('content-type', 'text/plain').end('ok');
    const response = await at.mesh.fetch('http://echo/');
    expect(response).toBeInstanceOf(Response);
    expect(response.constructor).toBe(Response);
    expect(Object.prototype.toString.call(response)).toBe('[object Response]');
    expect(response.headers).toBeInstanceOf(Headers);
    expect(response.body).toBeInstanceOf(ReadableStream);
    expect(await new Response(response.body, response).text()).toBe('ok');
  });

  const members: [string, (response: Response) => unknown][] = [
    [
      'status, statusText, ok, type, redirected',
      ({ status, statusText, ok, type, redirected }) => ({ status, statusText, ok, type, redirected }),
    ],
    ['headers', ({ headers }) => [...headers].filter(([name]) => name !== 'date')],
    ['getSetCookie', ({ headers }) => headers.getSetCookie()],
    ['headers cannot be written', ({ headers }) => headers.set('a', 'b')],
    ['url', ({ url }) => new URL(url).pathname],
    ['text', (response) => response.text()],
    ['json', (response) => response.json()],
    ['bytes', async (response) => Buffer.from(await response.bytes()).toString()],
    ['arrayBuffer', async (response) => Buffer.from(await response.arrayBuffer()).toString()],
    [
      'blob',
      async (response) => {
        const blob = await response.blob();
        return [blob.type, blob.size, await blob.text()];
      },
    ],
    ['formData', async (response) => [...(await response.formData())].map(([name, value]) => [name, String(value)])],
    [
      'text twice',
      async (response) => {
        await response.text();
        return response.text();
      },
    ],
    [
      'text after body.cancel',
      async (response) => {
        await response.body?.cancel();
        return response.text();
      },
    ],
    [
      'text of a locked body',
      (response) => {
        response.body?.getReader();
        return response.text();
      },
    ],
    ['bodyUsed before and after', async (response) => [response.bodyUsed, await response.text(), response.bodyUsed]],
    ['bodyUsed after a look at the body', (response) => [response.body?.locked, response.bodyUsed]],
    [
      'body after text',
      async (response) => {
        await response.text();
        return [response.body?.locked, response.bodyUsed];
      },
    ],
    [
      'clone, both read',
      async (response) => {
        const twin = response.clone();
        return [await twin.text(), await response.text(), twin instanceof Response, twin.status];
      },
    ],
    [
      'clone of a clone',
      async (response) => {
        const twin = response.clone().clone();
        return [await twin.text(), await response.text()];
      },
    ],
    [
      'clone after text',
      async (response) => {
        await response.text();
        return response.clone();
      },
    ],
    [
      'clone of a locked body',
      (response) => {
        response.body?.getReader();
        return response.clone();
      },
    ],
    [
      'iteration of the body',
      async (response) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of response.body ?? []) chunks.push(chunk);
        return Buffer.concat(chunks).toString();
      },
    ],
    [
      'a BYOB reader',
      async (response) => {
        const reader = response.body?.getReader({ mode: 'byob' });
        let all = '';
        for (;;) {
          const { value, done } = (await reader?.read(new Uint8Array(4))) ?? { done: true };
          if (done) return all;
          all += Buffer.from(value ?? []).toString();
        }
      },
    ],
    [
      'pipeThrough',
      async (response) => {
        const text = response.body?.pipeThrough(new TextDecoderStream()) ?? [];
        let all = '';
        for await (const chunk of text) all += chunk;
        return all;
      },
    ],
    ['Object.keys and JSON', (response) => [Object.keys(response), JSON.stringify(response)]],
  ];

  const answers: [string, typeof answer][] = [
    ['JSON', (_request, response) => response.setHeader('content-type', 'application/json').end('{"a":[1,"ü"]}')],
    ['no body', (_request, response) => response.writeHead(204).end()],
    ['an empty body', (_request, response) => response.end()],
    [
      'a form',
      (_request, response) =>
        response.setHeader('content-type', 'application/x-www-form-urlencoded').end('a=1&b=%C3%BC'),
    ],
    [
      'an error with repeated headers',
      (_request, response) =>
        response
          .writeHead(404, 'Gone Fishing', [
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
            ['x-a', '1'],
            ['X-A', '2'],
          ] as never)
          .end('no'),
    ],
    [
      'a byte order mark',
      (_request, response) => response.setHeader('content-type', 'text/plain').end('\uFEFF{"a":1}'),
    ],
    ['broken UTF-8', (_request, response) => response.end(Buffer.from([0x61, 0xff, 0x62]))],
    [
      'many chunks',
      async (_request, response) => {
        for (const chunk of '01234') {
          response.write(chunk);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        response.end();
      },
    ],
    ['gzip', (_request, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('{"zip":1}'))],
  ];
  const cases = answers.flatMap(([what, make]) => members.map(([member, read]) => [what, member, make, read] as const));

  it.each(cases)('%s: %s', async (_what, _member, make, read) => {
    answer = make;
    const [ours, theirs] = await both(read);
    expect(ours).toEqual(theirs);
  });

  it('has every member of the platform’s, and none that throws', async () => {
    answer = (_request, response) => response.end('x');
    for (const name of Object.getOwnPropertyNames(Response.prototype)) {
      const response = await at.mesh.fetch('http://echo/');
      const value = Reflect.get(response, name) as unknown;
      expect(typeof value, name).toBe(typeof Reflect.get(new Response('x'), name));
      await response.text();
    }
  });

  it('multipart formData with a file', async () => {
    const form = new FormData();
    form.append('f', new Blob(['file'], { type: 'text/x' }), 'f.txt');
    const encoded = new Response(form);
    const [type, bytes] = [encoded.headers.get('content-type') ?? '', Buffer.from(await encoded.arrayBuffer())];
    answer = (_request, response) => response.setHeader('content-type', type).end(bytes);
    const file = (await (await at.mesh.fetch('http://echo/')).formData()).get('f') as File;
    expect([file.name, file.type, await file.text()]).toEqual(['f.txt', 'text/x', 'file']);
  });

  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['gzip, br', (text: string) => brotliCompressSync(gzipSync(text))],
    ['identity', (text: string) => Buffer.from(text)],
    ['unknown-coding', (text: string) => Buffer.from(text)],
  ])('content-encoding %s as fetch decodes it', async (coding, encode) => {
    answer = (_request, response) => response.setHeader('content-encoding', coding).end(encode('some text'));
    const [ours, theirs] = await both(async (response) => [
      await response.text(),
      response.headers.get('content-encoding'),
    ]);
    expect(ours).toEqual(theirs);
  });

  it('a broken gzip body fails as in fetch', async () => {
    answer = (_request, response) => response.setHeader('content-encoding', 'gzip').end('not gzip');
    const [ours, theirs] = await both((response) => response.text());
    expect(ours).toBe(theirs);
  });

  it('a large body arrives whole, and is back-pressured while nobody reads', async () => {
    const bytes = Buffer.alloc(20_000_000, 'x');
    let written = 0;
    answer = (_request, response) => {
      const step = () => {
        while (written < bytes.length) {
          const isFlowing = response.write(bytes.subarray(written, written + 100_000));
          written += 100_000;
          if (!isFlowing) return void response.once('drain', step);
        }
        response.end();
      };
      step();
    };
    const response = await at.mesh.fetch('http://echo/');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBeLessThan(bytes.length);
    const hash = createHash('sha1');
    for await (const chunk of response.body ?? []) hash.update(chunk);
    expect(hash.digest('hex')).toBe(createHash('sha1').update(bytes).digest('hex'));
  });
});
