import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import zlib from 'node:zlib';
import { FormData as UndiciFormData, Request as UndiciRequest } from 'undici';
import { describe, expect, it } from 'vitest';
import { CLUSTER, readAll, startOrigin, startTestMesh } from '../../../../test/harness/test-mesh.ts';
import { MeshError } from '../../errors.ts';
import type { MeshEvent } from '../../model/events.ts';

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
};

describe('meshFetch', () => {
  it('reaches an endpoint of the host and tells its story', async () => {
    await using test = await startTestMesh((_request, response) => response.end('{"stars":5}'));
    const response = await test.mesh.fetch(`${test.url}/reviews/0?x=1`, { headers: { 'X-Caller': 'me' } });
    expect(response).toBeInstanceOf(Response);
    expect(response).toMatchObject({ status: 200, url: `${test.url}/reviews/0?x=1` });
    expect(await response.json()).toEqual({ stars: 5 });
    expect(response.mesh).toMatchObject({ target: 'reviews:9080', cluster: CLUSTER, local: false });
    expect(test.origin.requests[0]).toMatchObject({ url: '/reviews/0?x=1', method: 'GET' });
  });

  it('sends the headers fetch sends, and what time the peer has, as Envoy does', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const plain = await startOrigin((_request, response) => response.end());
    const init = { method: 'POST', body: 'hé', headers: { 'X-Caller': 'me', accept: 'text/x' } };
    await test.mesh.fetch(`${test.url}/`, init);
    await fetch(`http://127.0.0.1:${plain.port}/`, init);
    const [ours, theirs] = [test.origin, plain].map(({ requests }) => ({
      ...requests[0]?.headers,
      host: '',
      connection: '',
    }));
    expect(ours).toEqual({ ...theirs, 'x-envoy-expected-rq-timeout-ms': expect.stringMatching(/^1[45]\d{3}$/) });
    await plain.close();
  });

  it.each<[string, () => [input: string | URL | Request, init?: RequestInit], string]>([
    ['a string', () => ['http://reviews:9080/a'], 'GET '],
    ['a URL', () => [new URL('http://reviews:9080/a'), { method: 'put', body: 'x' }], 'PUT x'],
    ['a Request', () => [new Request('http://reviews:9080/a', { method: 'POST', body: 'x' })], 'POST x'],
    [
      'a Request of undici',
      () => [new UndiciRequest('http://reviews:9080/a', { method: 'POST', body: 'x' }) as unknown as Request],
      'POST x',
    ],
    [
      'a Request and an init that overrides it',
      () => [new Request('http://reviews:9080/a', { method: 'POST', body: 'x' }), { method: 'PUT', body: 'y' }],
      'PUT y',
    ],
    [
      'URLSearchParams',
      () => ['http://reviews:9080/a', { method: 'POST', body: new URLSearchParams({ a: '1' }) }],
      'POST a=1',
    ],
    [
      'a stream',
      () => [
        'http://reviews:9080/a',
        { method: 'POST', body: new Blob(['xy']).stream(), duplex: 'half' } as RequestInit,
      ],
      'POST xy',
    ],
    [
      'a generator',
      () => [
        'http://reviews:9080/a',
        {
          method: 'POST',
          body: (async function* () {
            yield Buffer.from('x');
            yield Buffer.from('y');
          })(),
          duplex: 'half',
        } as unknown as RequestInit,
      ],
      'POST xy',
    ],
  ])('takes %s', async (_what, make, expected) => {
    await using test = await startTestMesh(async (request, response) =>
      response.end(`${request.method} ${await readAll(request)}`),
    );
    expect(await (await test.mesh.fetch(...make())).text()).toBe(expected);
  });

  it('takes a Request with a body when the host is warm, and null for an init', async () => {
    await using test = await startTestMesh(async (request, response) => response.end(await readAll(request)));
    expect((await test.mesh.fetch(test.url, null as never)).status).toBe(200);
    const response = await test.mesh.fetch(new Request(test.url, { method: 'POST', body: 'x' }));
    expect(await response.text()).toBe('x');
    expect(test.origin.requests[1]?.headers['content-length']).toBe('1');
  });

  it('takes FormData of undici', async () => {
    await using test = await startTestMesh(async (request, response) => response.end(await readAll(request)));
    const form = new UndiciFormData();
    form.append('a', 'b');
    const response = await test.mesh.fetch(test.url, { method: 'POST', body: form as unknown as FormData });
    expect(await response.text()).toContain('name="a"\r\n\r\nb\r\n');
    expect(test.origin.requests[0]?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
  });

  it('sends a host header as the authority, and dials the URL all the same', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const response = await test.mesh.fetch(test.url, { headers: { host: 'Ratings.' } });
    expect(response.mesh?.cluster).toBe(CLUSTER);
    expect(test.origin.requests[0]?.headers.host).toBe('ratings');
  });

  it.each(['gzip', 'deflate', 'br', 'zstd'])('decodes %s as fetch does', async (coding) => {
    const encode = {
      gzip: zlib.gzipSync,
      deflate: zlib.deflateSync,
      br: zlib.brotliCompressSync,
      zstd: zlib.zstdCompressSync,
    }[coding];
    const body = Buffer.from('x'.repeat(200_000));
    await using test = await startTestMesh((_request, response) => {
      response.setHeader('content-encoding', coding);
      response.end(encode?.(body));
    });
    const response = await test.mesh.fetch(test.url);
    expect(await response.text()).toBe(body.toString());
    expect(response.headers.get('content-encoding')).toBe(coding);
  });

  it('passes an event stream on as it comes', async () => {
    let send = (_text: string): void => {};
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      send = (text) => void response.write(text);
    });
    const response = await test.mesh.fetch(test.url);
    const reader = response.body?.getReader();
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      send(text);
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(text);
    }
    await reader?.cancel();
  });

  it('reads a large body under back-pressure', async () => {
    const size = 5_000_000;
    await using test = await startTestMesh((_request, response) => response.end(Buffer.alloc(size, 1)));
    const response = await test.mesh.fetch(test.url);
    let read = 0;
    for await (const chunk of response.body ?? []) read += chunk.byteLength;
    expect(read).toBe(size);
  });

  it('has no body for HEAD and 204', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.statusCode = 204;
      response.end();
    });
    const responses = [await test.mesh.fetch(test.url), await test.mesh.fetch(test.url, { method: 'HEAD' })];
    expect(responses.map(({ body }) => body)).toEqual([null, null]);
  });

  it('emits one event a call', async () => {
    await using test = await startTestMesh((_request, response) => response.end('x'));
    const events: MeshEvent[] = [];
    test.mesh.on((event) => events.push(event));
    await (await test.mesh.fetch(test.url)).text();
    expect(events.filter(({ kind }) => kind === 'call')).toMatchObject([{ status: 200, story: { cluster: CLUSTER } }]);
  });
});

describe('meshFetch rejects where fetch does', () => {
  it.each<[string, unknown, object | undefined]>([
    ['no URL', 'not a url', undefined],
    ['credentials in the URL', 'http://a:b@reviews:9080/', undefined],
    ['a bad header', 'http://reviews:9080/', { headers: { 'a b': 'c' } }],
    ['a bad method', 'http://reviews:9080/', { method: 'a b' }],
    ['TRACE', 'http://reviews:9080/', { method: 'trace' }],
    ['GET with a body', 'http://reviews:9080/', { body: 'x' }],
    ['a stream without duplex', 'http://reviews:9080/', { method: 'POST', body: new Blob(['x']).stream() }],
    ['an unknown redirect mode', 'http://reviews:9080/', { redirect: 'maybe' }],
    ['a signal that is none', 'http://reviews:9080/', { signal: {} }],
    ['transfer-encoding', 'http://reviews:9080/', { headers: { 'transfer-encoding': 'chunked' } }],
    ['a scheme of nobody', 'gopher://reviews/', undefined],
  ])('%s', async (_what, input, init) => {
    await using test = await startTestMesh((_request, response) => response.end());
    const [ours, theirs] = await Promise.allSettled([
      test.mesh.fetch(input as string, init),
      fetch(input as string, init),
    ]);
    expect(ours.status === 'rejected' && ours.reason).toBeInstanceOf(TypeError);
    expect(theirs.status === 'rejected' && theirs.reason).toBeInstanceOf(TypeError);
  });

  it('a body that breaks after its headers, with the MeshError as cause', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc');
      setImmediate(() => response.destroy());
    });
    const response = await test.mesh.fetch(test.url);
    const error = await response.text().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).cause).toBeInstanceOf(MeshError);
  });

  it('a request stream that fails, with its error as cause', async () => {
    await using test = await startTestMesh(async (request, response) =>
      response.end(await readAll(request).catch(() => '')),
    );
    const failure = new Error('my stream');
    const body = new ReadableStream({ pull: () => Promise.reject(failure) });
    await expect(
      test.mesh.fetch(test.url, { method: 'POST', body, duplex: 'half' } as RequestInit),
    ).rejects.toMatchObject({
      name: 'TypeError',
      cause: failure,
    });
  });
});

describe('abort', () => {
  const reason = new Error('my reason');

  it("before the call rejects with the signal's own reason", async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await expect(test.mesh.fetch(test.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('while its configuration is awaited', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    test.ads.silent = true;
    const abort = new AbortController();
    const call = test.mesh.fetch('http://unknown:1/', { signal: abort.signal });
    setImmediate(() => abort.abort(reason));
    await expect(call).rejects.toBe(reason);
  });

  it('while the body of a Request is opened: the body is given up too', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await (await test.mesh.fetch(test.url)).text();
    const abort = new AbortController();
    let cancelled = false;
    const cancel = () => {
      cancelled = true;
    };
    const body = new ReadableStream({ pull: () => new Promise(() => {}), cancel });
    const request = new Request(test.url, { method: 'PUT', body, duplex: 'half' });
    const call = test.mesh.fetch(request, { signal: abort.signal });
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    await until(() => cancelled);
  });

  it('while the answer is awaited', async () => {
    await using test = await startTestMesh(() => {});
    const abort = new AbortController();
    const call = test.mesh.fetch(test.url, { signal: abort.signal });
    await until(() => test.origin.requests.length > 0);
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('while the body is read, by the signal of a Request too', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.write('a');
    });
    const abort = new AbortController();
    const response = await test.mesh.fetch(new Request(test.url, { signal: abort.signal }));
    const text = response.text();
    abort.abort(reason);
    await expect(text).rejects.toBe(reason);
  });

  it('closes the connection of a body given up', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.write('a');
    });
    const response = await test.mesh.fetch(test.url);
    await response.body?.cancel();
    await until(() => test.origin.requests[0]?.socket.destroyed === true);
  });
});

describe('redirects', () => {
  it('enter routing again', async () => {
    const ratings = await startOrigin((_request, response) => response.end('ratings'));
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(302, { location: 'http://ratings:9080/r#frag' });
      response.end('gone');
    });
    test.host('ratings:9080', ratings.port);
    const response = await test.mesh.fetch(test.url);
    expect(await response.text()).toBe('ratings');
    expect(response).toMatchObject({ redirected: true, url: 'http://ratings:9080/r' });
    expect(response.mesh?.cluster).toBe('outbound|ratings:9080');
    await ratings.close();
  });

  it('drop what is secret when the origin changes, and the body where the method becomes GET', async () => {
    const ratings = await startOrigin((_request, response) => response.end());
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(303, { location: 'http://ratings:9080/' });
      response.end();
    });
    test.host('ratings:9080', ratings.port);
    const headers = { authorization: 'a', cookie: 'b', 'x-keep': 'c', host: 'other' };
    await test.mesh.fetch(test.url, { method: 'POST', body: 'x', headers });
    const sent = ratings.requests[0]?.headers ?? {};
    expect(ratings.requests[0]?.method).toBe('GET');
    expect(sent).toMatchObject({ 'x-keep': 'c', host: 'ratings:9080' });
    expect(Object.keys(sent)).not.toEqual(expect.arrayContaining(['authorization']));
    expect(sent.cookie ?? sent.authorization ?? sent['content-type'] ?? sent['content-length']).toBeUndefined();
    await ratings.close();
  });

  it('send the body again with 307, and fail where it is a stream', async () => {
    await using test = await startTestMesh(async (request, response) => {
      const body = await readAll(request);
      if (request.url === '/end') return response.end(`${request.method} ${body}`);
      response.writeHead(307, { location: '/end' });
      return response.end();
    });
    expect(await (await test.mesh.fetch(test.url, { method: 'POST', body: 'x' })).text()).toBe('POST x');
    const stream = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit;
    await expect(test.mesh.fetch(test.url, stream)).rejects.toThrow(TypeError);
  });

  it('end after twenty', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(302, { location: '/' });
      response.end();
    });
    await expect(test.mesh.fetch(test.url)).rejects.toMatchObject({ cause: { message: 'redirect count exceeded' } });
    expect(test.origin.requests).toHaveLength(21);
  });

  it('are given out with `manual` and refused with `error`', async () => {
    await using test = await startTestMesh((_request, response) => {
      response.writeHead(302, { location: '/x' });
      response.end();
    });
    expect(await test.mesh.fetch(test.url, { redirect: 'manual' })).toMatchObject({ status: 302, redirected: false });
    await expect(test.mesh.fetch(test.url, { redirect: 'error' })).rejects.toMatchObject({
      cause: { message: 'unexpected redirect' },
    });
  });

  it('lead out of the mesh and back into it', async () => {
    const outside = await startOrigin((request, response) => {
      response.writeHead(302, { location: request.url === '/back' ? 'http://reviews:9080/end' : '/there' });
      response.end();
    });
    await using test = await startTestMesh((request, response) => {
      if (request.url === '/end') return response.end('home');
      response.writeHead(302, { location: `http://127.0.0.1:${outside.port}/back` });
      return response.end();
    });
    const response = await test.mesh.fetch(test.url);
    expect(await response.text()).toBe('home');
    expect(response).toMatchObject({ redirected: true, url: `${test.url}/end` });
    await outside.close();
  });
});

describe('hosts outside the mesh', () => {
  it("are reached by the platform's fetch, as the call was written", async () => {
    const outside = await startOrigin(async (request, response) =>
      response.end(`${request.method} ${await readAll(request)}`),
    );
    await using test = await startTestMesh((_request, response) => response.end());
    const events: MeshEvent[] = [];
    test.mesh.on((event) => events.push(event));
    const request = new Request(`http://localhost:${outside.port}/`, { method: 'POST', body: 'x' });
    const response = await test.mesh.fetch(request);
    expect(await response.text()).toBe('POST x');
    expect(response.mesh).toBeUndefined();
    expect(events.filter(({ kind }) => kind === 'passthrough')).toEqual([
      { kind: 'passthrough', host: 'localhost', cluster: 'PassthroughCluster' },
    ]);
    await outside.close();
  });

  it('fail as in fetch', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await expect(test.mesh.fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('are answered 502 under REGISTRY_ONLY', async () => {
    await using test = await startTestMesh((_request, response) => response.end(), { outboundPolicy: 'REGISTRY_ONLY' });
    const response = await test.mesh.fetch('http://elsewhere.example/');
    expect(response.status).toBe(502);
    expect(response.mesh).toMatchObject({ local: true, cluster: 'BlackHoleCluster' });
    await expect(test.mesh.fetch('http://elsewhere.example/', { mesh: { localReply: 'throw' } })).rejects.toMatchObject(
      {
        code: 'MESH_BLOCKED',
      },
    );
  });

  it("data: and blob: are the platform's", async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    expect(await (await test.mesh.fetch('data:text/plain,hi')).text()).toBe('hi');
    const url = URL.createObjectURL(new Blob(['hi']));
    expect(await (await test.mesh.fetch(url)).text()).toBe('hi');
    URL.revokeObjectURL(url);
  });

  it('what only the platform does goes through the mesh too: integrity', async () => {
    await using test = await startTestMesh((_request, response) => response.end('x'));
    const integrity = 'sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=';
    expect(await (await test.mesh.fetch(test.url, { integrity })).text()).toBe('x');
    await expect(test.mesh.fetch(test.url, { integrity: `${integrity.slice(0, -2)}A=` })).rejects.toThrow(TypeError);
    expect(test.origin.requests).toHaveLength(2);
  });
});

describe('what the mesh answers itself', () => {
  const noRoute = {
    match: { pathSpecifier: { case: 'path', value: '/only' } },
    action: {
      case: 'directResponse',
      value: { status: 418, body: { specifier: { case: 'inlineString', value: 'tea' } } },
    },
  } as const;

  it('resolves: 404 where no route matches, and what a route answers', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    test.host('tea:80', 1, noRoute);
    const missing = await test.mesh.fetch('http://tea/');
    expect(missing).toMatchObject({ status: 404, mesh: { flag: 'NR', local: true } });
    const own = await test.mesh.fetch('http://tea/only');
    expect([own.status, await own.text()]).toEqual([418, 'tea']);
  });

  it('rejects with the MeshError where the caller asks for it', async () => {
    await using test = await startTestMesh((_request, response) => response.end(), { localReply: 'throw' });
    test.host('tea:80', 1, noRoute);
    const error = await test.mesh.fetch('http://tea/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MeshError);
    expect(error).toMatchObject({ code: 'MESH_NO_ROUTE', status: 404, mesh: { target: 'tea:80' } });
    expect((await test.mesh.fetch('http://tea/', { mesh: { localReply: 'resolve' } })).status).toBe(404);
  });

  it('is 503 (UF) where nobody listens', async () => {
    await using test = await startTestMesh((_request, response) => response.end());
    await test.origin.close();
    expect(await test.mesh.fetch(test.url)).toMatchObject({ status: 503, mesh: { flag: 'UF', local: true } });
  });

  it('is 503 (NC) when no configuration comes in time', async () => {
    await using test = await startTestMesh((_request, response) => response.end(), { configTimeoutMs: 30 });
    test.ads.silent = true;
    const response = await test.mesh.fetch(test.url);
    expect(response).toMatchObject({ status: 503, mesh: { flag: 'NC', local: true } });
  });

  it("is 504 (UT) when the caller's own time is over", async () => {
    await using test = await startTestMesh(() => {});
    const response = await test.mesh.fetch(test.url, { mesh: { timeoutMs: 20 } });
    expect(response).toMatchObject({ status: 504, mesh: { flag: 'UT', local: true } });
  });
});
