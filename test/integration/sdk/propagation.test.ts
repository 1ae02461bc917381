import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type Mesh, propagate } from '@inmesh/sdk';
import { request as npmRequest } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, service, startOrigin, type World, world } from './world.ts';

/** Node's own way of a middleware: Express calls it with (request, response, next), Fastify with (request, reply, done). */
type Middleware = (request: never, response: never, next: () => void) => void;

let backend: Origin;
let outside: Origin;
let at: World;
beforeAll(async () => {
  backend = await startOrigin();
  outside = await startOrigin();
  at = await world(service('backend', { v1: backend.port }));
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await backend.close();
  await outside.close();
});

const INBOUND = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=b',
  b3: '1-2-1',
  'x-request-id': 'id-1',
  baggage: 'k=v',
  'end-user': 'jason',
  authorization: 'Bearer secret',
  cookie: 'session=secret',
  'x-other': 'no',
};
const ALWAYS = ['traceparent', 'tracestate', 'b3', 'x-request-id', 'baggage'];

/** Runs `work` inside a real server's handling of one request with the headers above. */
async function handling(wrap: (work: () => Promise<unknown>) => RequestListener, work: () => Promise<unknown>) {
  let failure: unknown;
  const server = createServer(
    wrap(async () => {
      try {
        await work();
      } catch (error) {
        failure = error;
      }
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await (await fetch(`http://127.0.0.1:${port}/`, { headers: INBOUND })).text();
  server.close();
  if (failure !== undefined) throw failure;
}

const ofHttp = (options?: Parameters<typeof propagate>[0]) => (work: () => Promise<unknown>) =>
  propagate(options).listener(async (_request: IncomingMessage, response: ServerResponse) => {
    await work();
    response.end();
  });

/** As Express runs `app.use(m)`: the next step runs inside `next`, and later asynchronously. */
const ofExpress = (work: () => Promise<unknown>): RequestListener => {
  const steps: Middleware[] = [propagate({ headers: ['end-user'] }), (_request, _response, next) => setImmediate(next)];
  return (request, response) => {
    const run = (index: number): void => {
      const step = steps[index];
      if (step !== undefined) step(request as never, response as never, () => run(index + 1));
      else work().then(() => response.end());
    };
    run(0);
  };
};

/** As Fastify runs `addHook('onRequest', m)`: its Request wraps Node's, and `done` starts the rest. */
const ofFastify = (work: () => Promise<unknown>): RequestListener => {
  const hook = propagate({ headers: ['end-user'] });
  return (raw, response) => {
    const request = {
      raw,
      get headers() {
        return raw.headers;
      },
    };
    hook(request, { raw: response }, () => void work().then(() => response.end()));
  };
};

const sent = () => backend.received.at(-1)?.headers ?? {};
const call =
  (mesh: Mesh, headers = {}) =>
  async () =>
    void (await (await mesh.fetch('http://backend/', { headers })).text());

describe('headers of the inbound request go along', () => {
  it('with http.createServer, the tracing ones only', async () => {
    await handling(ofHttp(), call(at.mesh));
    for (const name of ALWAYS) expect(sent()[name]).toBe(INBOUND[name as keyof typeof INBOUND]);
    for (const name of ['end-user', 'authorization', 'cookie', 'x-other']) expect(sent()[name]).toBeUndefined();
  });

  it('those listed too, `authorization` and `cookie` only then', async () => {
    await handling(ofHttp({ headers: ['End-User'] }), call(at.mesh));
    expect(sent()).toMatchObject({ 'end-user': 'jason' });
    expect([sent().authorization, sent().cookie]).toEqual([undefined, undefined]);
    await handling(ofHttp({ headers: ['authorization', 'cookie'] }), call(at.mesh));
    expect(sent()).toMatchObject({ authorization: INBOUND.authorization, cookie: INBOUND.cookie });
  });

  it('never over what the caller set', async () => {
    await handling(ofHttp({ headers: ['end-user'] }), call(at.mesh, { 'End-User': 'mine', traceparent: 'mine too' }));
    expect(sent()).toMatchObject({ 'end-user': 'mine', traceparent: 'mine too', 'x-request-id': 'id-1' });
  });

  it.each([
    ['Express', ofExpress],
    ['Fastify', ofFastify],
  ])('with a middleware as %s runs it', async (_what, wrap) => {
    await handling(wrap, call(at.mesh));
    expect(sent()).toMatchObject({ 'end-user': 'jason', traceparent: INBOUND.traceparent });
  });

  it('with every way into the mesh, and after timers and parallel work', async () => {
    const ways: (() => Promise<unknown>)[] = [
      async () => (await at.mesh.request('http://backend/')).body.dump(),
      async () => (await npmRequest('http://backend/', { dispatcher: at.mesh.dispatcher })).body.dump(),
      async () => (await fetch('http://backend/', { dispatcher: at.mesh.dispatcher } as unknown as RequestInit)).text(),
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await Promise.all([call(at.mesh)(), call(at.mesh)()]);
      },
    ];
    for (const way of ways) {
      await handling(ofHttp(), way);
      expect(sent()['x-request-id']).toBe('id-1');
    }
  });

  it('to hosts of the mesh only', async () => {
    await handling(
      ofHttp(),
      async () => void (await (await at.mesh.fetch(`http://127.0.0.1:${outside.port}/`)).text()),
    );
    await handling(
      ofHttp(),
      async () => void (await (await at.mesh.fetch(`http://localhost:${outside.port}/`)).text()),
    );
    for (const { headers } of outside.received) for (const name of ALWAYS) expect(headers[name]).toBeUndefined();
    expect(outside.received).toHaveLength(2);
  });

  it('not outside of the request', async () => {
    await call(at.mesh)();
    for (const name of ALWAYS) expect(sent()[name]).toBeUndefined();
  });

  it('route rules see them', async () => {
    await using here = await world(
      `${service('backend', { v1: backend.port })}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend }
spec:
  hosts: [backend]
  http:
    - name: jason
      match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: backend } }]
    - route: [{ destination: { host: backend } }]
`,
    );
    let route: string | undefined;
    await handling(ofHttp({ headers: ['end-user'] }), async () => {
      const response = await here.mesh.fetch('http://backend/');
      await response.text();
      route = response.mesh?.route;
    });
    expect(route).toBe('jason');
  });
});
