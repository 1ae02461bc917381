import { createServer, type Server } from 'node:net';
import { createMesh, MeshError } from '@inmesh/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, until, type World, world } from './world.ts';

let origin: Origin;
let rude: Server;
let babel: Server;
let at: World;

const portOf = (server: Server) => (server.address() as { port: number }).port;
const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

beforeAll(async () => {
  origin = await startOrigin(() => {});
  rude = createServer((socket) => socket.once('data', () => socket.destroy()));
  babel = createServer((socket) => socket.once('data', () => socket.end('SMTP ready\r\n')));
  await Promise.all([listen(rude), listen(babel)]);
  at = await world(
    [
      service('slow', { v1: origin.port }),
      rules(
        'slow',
        '- timeout: 30ms\n  match: [{ uri: { prefix: /only } }]\n  route: [{ destination: { host: slow } }]',
      ),
      service('rude', { v1: portOf(rude) }),
      service('babel', { v1: portOf(babel) }),
      service('closed', { v1: 1 }),
      service('empty', {}),
      service('lost', { v1: origin.port }),
      rules('lost', '- route: [{ destination: { host: lost, subset: v9 } }]'),
      rules('own', '- directResponse: { status: 429, body: { string: calm } }'),
      service('own', { v1: origin.port }),
    ].join(''),
    { outboundPolicy: 'REGISTRY_ONLY' },
  );
});
afterAll(async () => {
  await at[Symbol.asyncDispose]();
  await origin.close();
  rude.close();
  babel.close();
});

const RESET = 'upstream connect error or disconnect/reset before headers. reset reason: ';

/** url, status, flag, body, code */
const replies: [string, number, string | undefined, string, string][] = [
  ['http://slow/none', 404, 'NR', '', 'MESH_NO_ROUTE'],
  ['http://slow/only', 504, 'UT', 'upstream request timeout', 'MESH_TIMEOUT'],
  ['http://empty/', 503, 'UH', 'no healthy upstream', 'MESH_NO_HEALTHY_UPSTREAM'],
  // Istio's default is to try twice more where nothing could be sent.
  [
    'http://closed/',
    503,
    'UF',
    `${RESET.replace('reset reason', 'retried and the latest reset reason')}remote connection failure`,
    'MESH_CONNECT_FAILED',
  ],
  ['http://rude/', 503, 'UC', `${RESET}connection termination`, 'MESH_RESET'],
  ['http://babel/', 502, 'UPE', `${RESET}protocol error`, 'MESH_RESET'],
  ['http://lost/', 503, 'NC', '', 'MESH_NO_CLUSTER'],
  ['http://own/', 429, undefined, 'calm', 'MESH_LOCAL_REPLY'],
  ['http://elsewhere.example/', 502, undefined, '', 'MESH_BLOCKED'],
];

describe('what Envoy would answer', () => {
  it.each(replies)('%s resolves: %d %s', async (url, status, flag, body) => {
    const response = await at.mesh.fetch(url);
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.mesh?.flag, response.mesh?.local]).toEqual([status, flag, true]);
    expect(response.headers.get('content-length')).toBe(body === '' ? '0' : String(body.length));
    expect(response.headers.get('content-type')).toBe(body === '' ? null : 'text/plain');
    expect(response.headers.get('date')).not.toBeNull();
    expect(await response.text()).toBe(body);
    expect(response.url).toBe(url);
  });

  it.each(replies)('%s rejects with a MeshError under localReply: throw', async (url, status, flag, _body, code) => {
    const error = await at.mesh.fetch(url, { mesh: { localReply: 'throw' } }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MeshError);
    expect(error).toMatchObject({
      code,
      status,
      flag,
      mesh: { local: true, flag, target: expect.stringMatching(/:80$/) },
    });
    const { message, resource, hint } = error as MeshError;
    const host = new URL(url).host;
    expect(message).toMatch(new RegExp(`^\\[${code}\\] .+`));
    expect(`${message} ${resource}`).toContain(host);
    expect(hint, 'a hint').toBeTruthy();
  });

  it('createMesh({ localReply: throw }) is the rule, a call may say otherwise; redirects and good answers resolve', async () => {
    const mesh = at.test.mesh({ workload: 'strict', localReply: 'throw' });
    await expect(mesh.fetch('http://slow/none')).rejects.toBeInstanceOf(MeshError);
    expect((await mesh.fetch('http://slow/none', { mesh: { localReply: 'resolve' } })).status).toBe(404);
    await at.test.apply(rules('own', '- redirect: { authority: slow, uri: /none }'));
    const response = await mesh.fetch('http://own/', { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([301, 'http://slow/none']);
    await at.test.apply(rules('own', '- directResponse: { status: 200, body: { string: fine } }'));
    expect(await (await mesh.fetch('http://own/')).text()).toBe('fine');
  });

  it('cache modes and keepalive, which only tell servers something, lose neither policy nor story', async () => {
    const init = { cache: 'no-store', keepalive: true } as const;
    expect((await at.mesh.fetch('http://empty/', init)).mesh?.flag).toBe('UH');
    const throwing = { ...init, mesh: { localReply: 'throw' } } as const;
    await expect(at.mesh.fetch('http://empty/', throwing)).rejects.toBeInstanceOf(MeshError);
  });

  it('a local reply keeps the answer’s rules: HEAD has no body', async () => {
    const response = await at.mesh.fetch('http://empty/', { method: 'HEAD' });
    expect([response.status, response.body, response.headers.get('content-length')]).toEqual([503, null, '19']);
  });

  it('a caller’s own time for the whole call: 504', async () => {
    await at.test.apply(rules('slow', '- route: [{ destination: { host: slow } }]'));
    const response = await at.mesh.fetch('http://slow/', { mesh: { timeoutMs: 30 } });
    expect([response.status, response.mesh?.flag]).toEqual([504, 'UT']);
  });
});

describe('outside the mesh', () => {
  it.each([
    ['a closed port', 'http://127.0.0.1:1/'],
    ['a name that does not exist', 'http://no-such-name.invalid/'],
    ['an unsafe port', 'http://127.0.0.1:6667/'],
  ])('%s fails exactly as in fetch', async (_what, url) => {
    await using test = await world('');
    const told = async (fetcher: typeof fetch) => {
      const error = await fetcher(url).catch((thrown: unknown) => thrown);
      const { name, message, cause } = error as Error & { cause: Error & { code?: string } };
      return { name, message, code: cause?.code, cause: cause?.message, of: (error as Error).constructor.name };
    };
    expect(await told(test.mesh.fetch)).toEqual(await told(fetch));
  });

  it('ALLOW_ANY sends the call as written and says PassthroughCluster', async () => {
    await using other = await startOrigin((_request, response, body) => response.end(`there ${body}`));
    await using test = await world('');
    const events: unknown[] = [];
    test.mesh.on((event) => event.kind === 'passthrough' && events.push(event));
    const url = `http://localhost:${other.port}/`;
    expect(await (await test.mesh.fetch(url, { method: 'POST', body: 'b' })).text()).toBe('there b');
    expect(events).toEqual([{ kind: 'passthrough', host: 'localhost', cluster: 'PassthroughCluster' }]);
  });

  it('REGISTRY_ONLY says BlackHoleCluster', async () => {
    const events: unknown[] = [];
    const off = at.mesh.on((event) => event.kind === 'passthrough' && events.push(event));
    const response = await at.mesh.fetch('http://elsewhere.example/');
    off();
    expect(response.mesh?.cluster).toBe('BlackHoleCluster');
    expect(events).toEqual([{ kind: 'passthrough', host: 'elsewhere.example', cluster: 'BlackHoleCluster' }]);
  });
});

describe('no answer yet', () => {
  it('503 NC after configTimeoutMs, naming the control plane’s silence; less when the caller’s time is shorter', async () => {
    const mute = createServer(() => {});
    await listen(mute);
    await using mesh = createMesh({ xds: `127.0.0.1:${portOf(mute)}`, configTimeoutMs: 100 }, { env: {} });
    const response = await mesh.fetch('http://slow/');
    expect([response.status, await response.text(), response.mesh?.flag]).toEqual([503, '', 'NC']);
    const throwing = { mesh: { localReply: 'throw' } } as const;
    await expect(mesh.fetch('http://slow/', throwing)).rejects.toMatchObject({ code: 'MESH_NOT_READY' });
    await using patient = createMesh({ xds: `127.0.0.1:${portOf(mute)}`, configTimeoutMs: 60_000 }, { env: {} });
    const short = await patient.fetch('http://slow/', { mesh: { timeoutMs: 50 } });
    expect(short.status).toBeGreaterThanOrEqual(503);
    await expect(patient.fetch('http://slow/', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await expect(patient.ready({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'MESH_NOT_READY' });
    mute.close();
  });

  it('mesh.ready resolves with hosts that are warm, and names every one that is not', async () => {
    await at.mesh.ready({ hosts: ['slow', 'http://empty/', 'closed:80'] });
    const error = await at.mesh
      .ready({ hosts: ['slow', 'nobody', 'http://never:81/x'], timeoutMs: 300 })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MESH_NOT_READY' });
    expect((error as Error).message).toContain('nobody:80');
    expect((error as Error).message).toContain('never:81');
    expect((error as Error).message).not.toContain('slow');
  });

  it('calls during a wait go through once the control plane is there', async () => {
    await using late = await world(
      service('slow', { v1: origin.port }) + rules('slow', '- directResponse: { status: 200, body: { string: late } }'),
    );
    const parking = createServer();
    await listen(parking);
    const port = portOf(parking);
    await new Promise((resolve) => parking.close(resolve));
    await using mesh = createMesh({ xds: `127.0.0.1:${port}` }, { env: {} });
    const call = mesh.fetch('http://slow/');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await late.test.server.listen({ xds: `127.0.0.1:${port}` });
    expect(await (await call).text()).toBe('late');
  });
});

describe('the host header', () => {
  it('is what matches see and what goes upstream; where it is dialled is the URL’s', async () => {
    await using one = await startOrigin((_request, response) => response.end('one'));
    await using two = await startOrigin((_request, response) => response.end('two'));
    await using here = await world(
      service('one', { v1: one.port }) +
        service('two', { v1: two.port }) +
        rules(
          'one',
          '- match: [{ authority: { prefix: two } }]\n  name: by-authority\n  route: [{ destination: { host: one } }]\n- name: rest\n  route: [{ destination: { host: one } }]',
        ),
    );
    const response = await here.mesh.fetch('http://one/', { headers: { Host: 'two' } });
    expect([await response.text(), response.mesh?.route]).toEqual(['one', 'by-authority']);
    expect(one.received[0]?.headers.host).toBe('two');
    expect(two.received).toEqual([]);
    expect((await here.mesh.fetch('http://one/')).mesh?.route).toBe('rest');
    const through = await here.mesh.request('http://one/', { headers: { host: 'two' } });
    expect(await through.body.text()).toBe('one');
    expect(two.received).toEqual([]);
  });
});

describe('close', () => {
  it('calls under way may end; registered endpoints and later calls are gone', async () => {
    let release = () => {};
    await using held = await startOrigin((_request, response) => {
      release = () => response.end('held');
    });
    await using here = await world(service('held', { v1: held.port }));
    const call = here.mesh.fetch('http://held/');
    await until(() => held.received.length > 0);
    const closed = here.mesh.close();
    release();
    expect(await (await call).text()).toBe('held');
    await closed;
    const after = await here.mesh.fetch('http://held/').then(
      (response) => response.status,
      (error: unknown) => error,
    );
    expect(after).not.toBe(200);
  });
});
