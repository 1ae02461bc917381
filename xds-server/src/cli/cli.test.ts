import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMesh } from '@inmesh/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explain } from './explain.ts';

const BIN = fileURLToPath(new URL('../../bin/inmesh.mjs', import.meta.url));

/** Another Node of this machine, older than the one that runs this; undefined where there is none. */
const OTHER_NODE = (process.env.PATH ?? '')
  .split(path.delimiter)
  .map((folder) => path.join(folder, 'node'))
  .find(
    (file) => existsSync(file) && execFileSync(file, ['--version'], { encoding: 'utf8' }).trim() !== process.version,
  );

let folder = '';
const children = new Set<ChildProcess>();

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-cli-'));
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** The exit code; -1 where a signal ended it. */
  readonly ended: Promise<number>;
  /** Waits until what it printed matches. */
  readonly prints: (pattern: RegExp) => Promise<RegExpExecArray>;
}

function inmesh(
  args: readonly string[],
  { node = process.execPath, env = {} }: { node?: string; env?: Record<string, string> } = {},
): Running {
  // What it makes unasked, it makes in the folder of the test.
  const options = { cwd: folder, env: { ...process.env, ...env } };
  const child = spawn(node, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : -1));
  const prints = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(out);
      if (found) return found;
      if (child.exitCode !== null) throw new Error(`it ended without printing ${pattern}: ${out}${err}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { child, out: () => out, err: () => err, ended, prints };
}

const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};

const MESH = `apiVersion: v1
kind: Service
metadata: {name: greeter}
spec:
  ports: [{name: http, port: 8080}]
  selector: {app: greeter}
`;

const toVersion = (version: string) => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter}
spec:
  host: greeter
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter}
spec:
  hosts: [greeter]
  http:
    - name: testers
      match: [{headers: {x-tester: {exact: "yes"}}}]
      route: [{destination: {host: greeter, subset: v2}}]
    - name: everyone
      route:
        - {destination: {host: greeter, subset: ${version}}, weight: 90}
        - {destination: {host: greeter, subset: v2}, weight: 10}
`;

/** A program that answers with its version on the port it is told. */
const GREETER = `
const version = process.argv[2];
require('node:http').createServer((request, response) => response.end(version)).listen(process.env.PORT, '127.0.0.1');
`;

describe('inmesh', () => {
  it('says what there is and is wrong (exit 2) without a command or with one it does not know', async () => {
    const bare = inmesh([]);
    expect(await bare.ended).toBe(2);
    expect(bare.out()).toContain('inmesh serve');
    const unknown = inmesh(['sevre']);
    expect(await unknown.ended).toBe(2);
    expect(unknown.err()).toContain('unknown command "sevre", want one of init, serve, check, run, explain');
  });

  it('COMMAND --help prints its usage, not that of the program to run', async () => {
    const help = inmesh(['run', '--service', 'a', '--help', '--', 'b', '--help']);
    expect(await help.ended).toBe(0);
    expect(help.out()).toContain('inmesh run --service NAME');
  });

  it('names a wrong flag and shows the usage (exit 2)', async () => {
    const wrong = inmesh(['check', '--confg', folder]);
    expect(await wrong.ended).toBe(2);
    expect(wrong.err()).toContain("Unknown option '--confg'");
    expect(wrong.err()).toContain('inmesh check --config DIR');
  });
});

describe('inmesh init', () => {
  it('writes a mesh that check finds nothing wrong with, and never overwrites', async () => {
    expect(await inmesh(['init', folder]).ended).toBe(0);
    const before = readFileSync(path.join(folder, 'mesh.yaml'), 'utf8');
    const checked = inmesh(['check', '--config', folder]);
    expect(await checked.ended).toBe(0);
    expect(checked.out()).toBe('3 objects, 0 errors, 0 warnings\n');
    const again = inmesh(['init', folder]);
    expect(await again.ended).toBe(1);
    expect(again.err()).toContain('is there already');
    expect(readFileSync(path.join(folder, 'mesh.yaml'), 'utf8')).toBe(before);
  });
});

describe('inmesh check', () => {
  it('prints file, line, object and field of every error and warning, and exits 1 on an error', async () => {
    const file = write('mesh.yaml', `${MESH.replace('8080', 'many')}---\n${toVersion('v3')}`);
    const checked = inmesh(['check', '--config', folder]);
    expect(await checked.ended).toBe(1);
    expect(checked.out()).toContain(`${file}:5: Service default/greeter: spec.ports[0].port: got "many"`);
    expect(checked.out()).toMatch(/VirtualService default\/greeter: spec\.http\[1\]\.route\[0\]/);
    expect(checked.out()).toMatch(/2 objects, \d+ errors?, \d+ warnings?\n$/);
  });

  it('exits 2 where there is no folder', async () => {
    const checked = inmesh(['check', '--config', path.join(folder, 'nope')]);
    expect(await checked.ended).toBe(2);
    expect(checked.err()).toContain('does not exist');
  });
});

describe('inmesh explain', () => {
  it('gives one JSON object with every key of a request', async () => {
    const file = write('mesh.yaml', `${MESH}---\n${toVersion('v1')}`);
    const explained = inmesh([
      'explain',
      '--config',
      folder,
      '--from',
      'default/web',
      '--random',
      '95',
      '--json',
      'GET',
      'http://greeter:8080/x',
    ]);
    expect(await explained.ended).toBe(0);
    expect(JSON.parse(explained.out())).toMatchObject({
      request: { method: 'GET', url: 'http://greeter:8080/x', random: 95 },
      virtualHost: 'greeter.default.svc.cluster.local:8080',
      considered: [{ matched: false, failed: expect.stringContaining('x-tester') }, { matched: true }],
      route: 'everyone',
      source: { file, line: 24 },
      cluster: 'outbound|8080|v2|greeter.default.svc.cluster.local',
      split: [
        { weight: 90, range: [0, 89] },
        { weight: 10, range: [90, 99] },
      ],
      endpoints: [],
      timeoutMs: null,
      retries: { calls: expect.any(Number) },
      notes: expect.arrayContaining([expect.stringContaining('processes that register themselves')]),
    });
  });

  it('knows the labels of a workload of the folder; others bring theirs', async () => {
    const rule = toVersion('v1').replace('headers: {x-tester: {exact: "yes"}}', 'sourceLabels: {app: tester}');
    const pod =
      'apiVersion: v1\nkind: Pod\nmetadata: {name: tester-1, labels: {app: tester}}\nspec: {containers: []}\nstatus: {podIP: 10.0.0.1}\n';
    write('mesh.yaml', `${MESH}---\n${rule}---\n${pod}`);
    const route = async (...from: string[]): Promise<string> => {
      const explained = inmesh(['explain', '--config', folder, ...from, '--json', 'GET', 'http://greeter:8080/']);
      await explained.ended;
      return JSON.parse(explained.out()).route;
    };
    expect(await route('--from', 'default/tester-1')).toBe('testers');
    expect(await route('--from', 'default/unknown')).toBe('everyone');
    expect(await route('--from', 'default/unknown', '--label', 'app=tester')).toBe('testers');
  });

  it('prints a page for people without --json', async () => {
    write('mesh.yaml', `${MESH}---\n${toVersion('v1')}`);
    const explained = inmesh([
      'explain',
      '--config',
      folder,
      '--from',
      'default/web',
      '-H',
      'x-tester: yes',
      'GET',
      'http://greeter:8080/',
    ]);
    expect(await explained.ended).toBe(0);
    for (const text of ['GET http://greeter:8080/', 'testers', 'mesh.yaml:22', '|v2|greeter'])
      expect(explained.out()).toContain(text);
  });

  it.each([
    [[], 'up to 4 calls'],
    [['--retry-attempts', 'calls'], 'up to 3 calls'],
  ])('attempts: 3 with %j is %s', async (args, said) => {
    const retries = `${MESH}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter}
spec: {hosts: [greeter], http: [{route: [{destination: {host: greeter}}], retries: {attempts: 3}}]}
`;
    write('mesh.yaml', retries);
    const explained = inmesh([
      'explain',
      '--config',
      folder,
      '--from',
      'default/web',
      ...args,
      'GET',
      'http://greeter:8080/',
    ]);
    expect(await explained.ended).toBe(0);
    expect(explained.out()).toContain(said);
  });

  it('asks no host how it is, and says which answers are retried', async () => {
    const checked = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: partner}
spec:
  hosts: [partner.test]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: 1}}]
---
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: {name: partner}
spec: {targetRefs: [{kind: ServiceEntry, name: partner}], healthCheck: {tcp: {}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: partner}
spec: {hosts: [partner.test], http: [{route: [{destination: {host: partner.test}}], retries: {attempts: 1, retryOn: '5xx,418'}}]}
`;
    write('mesh.yaml', checked);
    const explained = inmesh(['explain', '--config', folder, '--from', 'default/web', 'GET', 'http://partner.test/']);
    expect(await explained.ended).toBe(0);
    expect(explained.out()).toContain('127.0.0.1:1  healthy');
    expect(explained.out()).toContain('up to 2 calls, on 5xx, 418');
  });

  it.each([
    [['--from', 'a/b', 'GET', 'http://a/', '--retry-attempts', 'tries'], '--retry-attempts: got "tries", want'],
    [['--from', 'web', 'GET', 'http://a/'], '--from: got "web", want NAMESPACE/WORKLOAD'],
    [['--from', 'a/b', 'GET'], 'got "GET", want METHOD URL'],
    [['--from', 'a/b', 'GET', 'greeter'], 'URL: got "greeter", want http://host'],
    [['--from', 'a/b', 'GET', 'http://a/', '-H', 'x'], '--header: got "x", want \'NAME: VALUE\''],
    [['--from', 'a/b', 'GET', 'http://a/', '--random', '-1'], '--random'],
    [['--from', 'a/b', 'GET', 'http://a/', '--label', 'x'], '--label: got "x", want KEY=VALUE'],
  ])('refuses %j', async (args, message) => {
    await expect(explain.run(['--config', folder, ...args])).rejects.toThrow(message);
  });
});

describe('inmesh serve', () => {
  it('ends with the reason when an address is taken (exit 1) or is none (exit 2)', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const busy = inmesh(['serve', '--config', folder, '--xds', '127.0.0.1:0', '--admin', `127.0.0.1:${port}`]);
    expect(await busy.ended).toBe(1);
    expect(busy.err()).toContain(`admin cannot listen on 127.0.0.1:${port}`);
    taken.close();
    const wrong = inmesh(['serve', '--config', folder, '--xds', '15010']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.err()).toContain('--xds: got "15010", want host:port, [v6]:port or unix:PATH');
  });
});

describe.each([
  ['this Node', process.execPath],
  [`another Node (${OTHER_NODE ?? 'none on this machine'})`, OTHER_NODE],
])('inmesh serve and run under %s', (_name, node) => {
  const options = node === undefined ? {} : { node };

  it.skipIf(node === undefined)('serves a folder, follows its edits, and lets go of its ports on SIGTERM', async () => {
    write('mesh.yaml', MESH);
    const server = inmesh(['serve', '--config', folder, '--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'], options);
    const [, xds = ''] = await server.prints(/INMESH_XDS=(\S+)/);
    const [, admin = ''] = await server.prints(/admin {2}http:\/\/(\S+)\//);
    expect(server.out()).toContain(`loaded 1 object, 1 service from ${folder}`);
    expect((await fetch(`http://${admin}/readyz`)).status).toBe(200);
    write('rules.yaml', toVersion('v1'));
    await server.prints(/VirtualService default\/greeter added \(.*rules\.yaml:10\)/);
    write('rules.yaml', toVersion('v1').replace('weight: 90', 'weight: ninety'));
    await expect
      .poll(server.err)
      .toMatch(/rules\.yaml:\d+: VirtualService default\/greeter: spec\.http\[1\]\.route\[0\]\.weight/);
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    const again = inmesh(['serve', '--config', folder, '--xds', xds, '--admin', admin], options);
    await again.prints(/INMESH_XDS=/);
    again.child.kill('SIGTERM');
    expect(await again.ended).toBe(0);
  });

  it.skipIf(node === undefined)(
    'starts a program, registers it, and takes it out of the mesh before it ends',
    async () => {
      write('mesh.yaml', MESH);
      const program = write('greeter.cjs', GREETER);
      const server = inmesh(['serve', '--config', folder, '--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0'], options);
      const [, xds = ''] = await server.prints(/INMESH_XDS=(\S+)/);
      const port = String(20_000 + (process.pid % 10_000));
      const args = [
        'run',
        '--service',
        'greeter',
        '--port',
        port,
        '--version',
        'v7',
        '--xds',
        xds,
        '--',
        process.execPath,
        program,
        'v7',
      ];
      const greeter = inmesh(args, options);
      await server.prints(new RegExp(`127\\.0\\.0\\.1:${port} of greeter v7 joined`));
      const mesh = createMesh({ xds, workload: 'web' }, { env: {} });
      try {
        const response = await mesh.fetch('http://greeter:8080/');
        expect([response.status, await response.text()]).toEqual([200, 'v7']);
        greeter.child.kill('SIGTERM');
        await server.prints(/of greeter v7 left/);
        expect(await greeter.ended).toBe(128 + 15);
      } finally {
        await mesh.close();
      }
    },
  );
});

it('a killed control plane fails no call, and one in its place is followed', async () => {
  write('mesh.yaml', MESH);
  const program = write('greeter.cjs', GREETER);
  const args = ['serve', '--config', folder, '--admin', '127.0.0.1:0', '--xds'];
  const first = inmesh([...args, '127.0.0.1:0']);
  const [, xds = ''] = await first.prints(/INMESH_XDS=(\S+)/);
  // Below the ports that systems give to connections: one of those may be any of a busy machine's.
  const port = String(20_000 + (process.pid % 10_000));
  const greeter = inmesh([
    'run',
    '--service',
    'greeter',
    '--port',
    port,
    '--xds',
    xds,
    '--',
    process.execPath,
    program,
    'hello',
  ]);
  await first.prints(/of greeter joined/);
  const mesh = createMesh({ xds, workload: 'web' }, { env: {} });
  try {
    const call = async (url = 'http://greeter:8080/') => (await mesh.fetch(url)).status;
    expect(await call()).toBe(200);
    first.child.kill('SIGKILL');
    await first.ended;
    for (let calls = 0; calls < 20; calls++) expect(await call()).toBe(200);
    const second = inmesh([...args, xds]);
    await second.prints(/of greeter joined/);
    expect(await call()).toBe(200);
    write('mesh.yaml', MESH.replace('8080', '9090'));
    await second.prints(/Service default\/greeter changed/);
    await expect.poll(() => call('http://greeter:9090/').catch(() => 0), { timeout: 10_000 }).toBe(200);
  } finally {
    await mesh.close();
    greeter.child.kill('SIGTERM');
    await greeter.ended;
  }
  // Three processes start one after the other.
}, 60_000);
