import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createMesh, type Explanation } from '@inmesh/sdk';
import { createXdsServer, watchFiles } from '@inmesh/xds-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rules, service, world } from './world.ts';

const BIN = fileURLToPath(new URL('../../../xds-server/bin/inmesh.mjs', import.meta.url));
const run = promisify(execFile);

const RULES = `- name: jason
  match: [{ headers: { end-user: { exact: jason } } }]
  timeout: 700ms
  route: [{ destination: { host: reviews, subset: v2 } }]
- name: split
  route:
    - { destination: { host: reviews, subset: v1 }, weight: 75 }
    - { destination: { host: reviews, subset: v2 }, weight: 25 }`;
const YAML = service('reviews', { v1: 1, v2: 2 }) + rules('reviews', RULES);
const lineOf = (text: string, what: string) => text.split('\n').findIndex((line) => line.includes(what)) + 1;
const KEYS = [
  'request',
  'virtualHost',
  'considered',
  'route',
  'source',
  'cluster',
  'split',
  'endpoints',
  'timeoutMs',
  'retries',
  'notes',
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-explain-'));
  writeFileSync(path.join(folder, 'mesh.yaml'), YAML);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inmesh = async (...args: string[]) =>
  (await run(process.execPath, [BIN, 'explain', '--config', folder, ...args])).stdout;
const asked = async (...args: string[]) =>
  JSON.parse(await inmesh('--from', 'default/web', '--json', ...args)) as Explanation;

describe('inmesh explain', () => {
  it('--json is one object with every key, in order', async () => {
    const told = await asked('GET', 'http://reviews/0', '-H', 'end-user: jason');
    expect(Object.keys(told)).toEqual(KEYS);
    expect(told).toMatchObject({
      request: { method: 'GET', url: 'http://reviews/0', headers: { 'end-user': 'jason' } },
      virtualHost: expect.stringContaining('reviews'),
      considered: [{ rule: expect.stringContaining('end-user'), matched: true }],
      route: 'jason',
      source: { file: expect.stringMatching(/mesh\.yaml$/), line: lineOf(YAML, 'match: [') },
      cluster: 'outbound|80|v2|reviews.default.svc.cluster.local',
      endpoints: [{ address: '127.0.0.1:2', locality: expect.any(String), priority: 0, state: 'healthy' }],
      timeoutMs: 700,
      retries: { calls: expect.any(Number), on: expect.any(Array), perTryTimeoutMs: null },
      notes: expect.any(Array),
    });
  });

  it('says which condition failed first, and decides the split by --random', async () => {
    const [first, second] = await Promise.all([
      asked('GET', 'http://reviews/0', '-H', 'end-user: anna', '--random', '74'),
      asked('GET', 'http://reviews/0', '--random', '4294967275'),
    ]);
    expect(first.considered).toMatchObject([
      { matched: false, failed: expect.stringContaining('end-user') },
      { matched: true },
    ]);
    expect(first.split).toEqual([
      { cluster: 'outbound|80|v1|reviews.default.svc.cluster.local', weight: 75, range: [0, 74] },
      { cluster: 'outbound|80|v2|reviews.default.svc.cluster.local', weight: 25, range: [75, 99] },
    ]);
    expect(first.cluster).toContain('|v1|');
    // 4294967275 mod 100 = 75
    expect(second.cluster).toContain('|v2|');
    expect(first.source?.line).toBe(lineOf(YAML, 'name: split'));
  });

  it('the page names rules, position and split for a human', async () => {
    const page = await inmesh('--from', 'default/web', 'GET', 'http://reviews/0', '--random', '80');
    for (const part of [
      'GET http://reviews/0',
      'end-user',
      `mesh.yaml:${lineOf(YAML, 'name: split')}`,
      '75 %',
      '25 %',
      '127.0.0.1:2',
    ])
      expect(page).toContain(part);
  });

  it('a workload the folder does not know is who its labels say', async () => {
    writeFileSync(
      path.join(folder, 'labels.yaml'),
      service('books', { v1: 3 }) +
        rules(
          'books',
          '- match: [{ sourceLabels: { app: shop } }]\n  directResponse: { status: 200 }\n- name: others\n  route: [{ destination: { host: books } }]',
        ),
    );
    const [shop, web] = await Promise.all([
      asked('--label', 'app=shop', 'GET', 'http://books/'),
      asked('GET', 'http://books/'),
    ]);
    expect(shop.notes.join()).toContain('answered 200');
    expect(web.route).toBe('others');
  });

  it('names hosts outside the mesh, missing routes and wrong usage', async () => {
    const away = await asked('GET', 'http://elsewhere.example/');
    expect(Object.keys(away)).toEqual(KEYS);
    expect([away.cluster, away.notes.join()]).toEqual([null, expect.stringContaining('elsewhere.example')]);
    for (const args of [
      ['GET'],
      ['GET', 'reviews'],
      ['GET', 'http://reviews/', '--random', 'x'],
      ['GET', 'http://reviews/', '-H', 'no'],
    ])
      await expect(asked(...args)).rejects.toMatchObject({ stderr: expect.stringMatching(/want|usage/i) });
  });
});

describe('mesh.explain', () => {
  it('takes a step nobody sees: no connection, no event, no change of what the next call meets', async () => {
    await using at = await world(YAML);
    const events: unknown[] = [];
    at.mesh.on((event) => event.kind === 'call' && events.push(event));
    const told = await at.mesh.explain({ url: 'http://reviews/0', headers: { 'End-User': 'jason' } });
    expect(told.route).toBe('jason');
    expect(events).toEqual([]);
  });

  it('says what is injected and mirrored, and which retries cannot help', async () => {
    const yaml = `${service('h2', { v1: 1 }).replace('name: http,', 'name: http2-web,').replace('{ http: 1 }', '{ http2-web: 1 }')}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: h2-pool }
spec:
  host: h2
  trafficPolicy: { connectionPool: { tcp: { maxConnections: 5 } }, outlierDetection: { consecutive5xxErrors: 3 } }
---
${rules('h2', '- mirror: { host: h2 }\n  fault: { delay: { fixedDelay: 1s, percentage: { value: 100 } } }\n  retries: { attempts: 4, perTryTimeout: 1s }\n  timeout: 3s\n  route: [{ destination: { host: h2 } }]')}`;
    await using at = await world(yaml);
    const { notes } = await at.mesh.explain({ url: 'http://h2/' });
    for (const what of [
      'mirror: 100 % to outbound|80||h2',
      'fault: 100 % are delayed by 1 s',
      'retries.perTryTimeout: a try that is late is not retried',
      'retries.perTryTimeout: 1 s × 5 calls is 5 s, more than the timeout of 3 s',
    ])
      expect(
        notes.filter((note) => note.startsWith(what)),
        what,
      ).toHaveLength(1);
  });

  it('a comment moves the line and versions nothing', async () => {
    const file = path.join(folder, 'mesh.yaml');
    writeFileSync(file, YAML);
    const server = createXdsServer({ source: watchFiles(folder) });
    const { xds, admin } = await server.listen({ xds: '127.0.0.1:0', admin: '127.0.0.1:0' });
    await using mesh = createMesh({ xds, workload: 'web' }, { env: {} });
    const pushed: unknown[] = [];
    mesh.on((event) => event.kind === 'xds-ack' && pushed.push(event));
    const ask = async () =>
      (await mesh.explain({ url: 'http://reviews/', headers: { 'end-user': 'jason' } })).source?.line;
    const versions = async () => {
      const clients = (await (await fetch(`http://${admin}/clients`)).json()) as ReturnType<typeof server.clients>;
      const types = clients.find(({ workload }) => workload === 'web')?.types;
      return ['lds', 'rds', 'cds', 'eds'].map((type) => [type, types?.[type]?.status, types?.[type]?.version]);
    };
    expect(await ask()).toBe(lineOf(YAML, 'match: ['));
    await server.settled();
    expect(await versions()).toEqual(['lds', 'rds', 'cds', 'eds'].map((type) => [type, 'SYNCED', expect.any(String)]));
    const [before, acks] = [await versions(), ofConfiguration(pushed)];
    const edited = `# a comment\n# and another\n${YAML.replace('- name: split', '# between\n    - name: split')}`;
    writeFileSync(file, edited);
    await server.settled();
    expect(await ask()).toBe(lineOf(edited, 'match: ['));
    expect(await ask()).toBe(lineOf(YAML, 'match: [') + 2);
    expect(await versions()).toEqual(before);
    expect(ofConfiguration(pushed)).toEqual(acks);
    await mesh.close();
    await server.close();
  });
});

/** Answers to xDS proper, without the side table of positions. */
const ofConfiguration = (events: readonly unknown[]) =>
  events.filter((event) => !(event as { typeUrl: string }).typeUrl.includes('RouteSources'));
