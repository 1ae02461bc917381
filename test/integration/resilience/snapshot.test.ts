import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createXdsServer, memorySource, type XdsServer } from '@inmesh/xds-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin } from '../sdk/world.ts';

/** Makes a call, and says what it knows; `go` on its input makes it look again. */
const APPLICATION = `
import { createMesh } from '@inmesh/sdk';
const mesh = createMesh({ configTimeoutMs: 1_500 });
const events = [];
mesh.on((event) => events.push(event));
async function look() {
  const response = await mesh.fetch('http://echo/');
  const answer = response.status + ' ' + (await response.text());
  const { notes } = await mesh.explain({ url: 'http://echo/' });
  const { genericXdsConfigs, servers } = await mesh.csds();
  const stale = genericXdsConfigs.filter(({ staleSince }) => staleSince).length;
  const said = events.splice(0).filter(({ kind }) => /stale|^warning/.test(kind));
  console.log(JSON.stringify({ answer, notes, stale, state: servers[0].state, said }));
}
await look();
process.stdin.on('data', look);
process.stdin.on('end', () => mesh.close());
`;

interface Seen {
  readonly answer: string;
  readonly notes: readonly string[];
  readonly stale: number;
  readonly said: readonly { readonly kind: string; readonly message?: string }[];
}

class Application implements AsyncDisposable {
  readonly #child;
  readonly #seen: Seen[] = [];
  #text = '';
  err = '';

  constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', APPLICATION], {
      env: { PATH: process.env.PATH ?? '', ...env },
      cwd: import.meta.dirname,
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      const lines = (this.#text + chunk).split('\n');
      this.#text = lines.pop() ?? '';
      this.#seen.push(...lines.map((line): Seen => JSON.parse(line)));
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.err += chunk;
    });
  }

  async next(): Promise<Seen> {
    await expect.poll(() => this.#seen.length || this.err, { timeout: 20_000 }).toBe(1);
    const [seen] = this.#seen.splice(0);
    if (seen === undefined) throw new Error('it was there');
    return seen;
  }

  again(): Promise<Seen> {
    this.#child.stdin.write('go');
    return this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    await gone;
  }
}

describe('an application started while the control plane is down', () => {
  let folder: string;
  let snapshot: string;
  let origin: Origin;
  let server: XdsServer | undefined;
  let env: Record<string, string>;

  const yaml = () =>
    `${service('echo', { v1: origin.port })}${rules('echo', '- route: [{ destination: { host: echo } }]')}`;
  async function startControlPlane(listen: string, text: string): Promise<string> {
    server = createXdsServer({ source: memorySource(text) });
    return (await server.listen({ xds: listen })).xds;
  }
  async function stopControlPlane(): Promise<void> {
    await server?.close();
    server = undefined;
  }

  /** A first life, with the control plane; then it goes. */
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'inmesh-snapshot-'));
    snapshot = path.join(folder, 'mesh.snapshot');
    origin = await startOrigin((_, response) => response.end('served'));
    const xds = await startControlPlane('127.0.0.1:0', yaml());
    env = { INMESH_XDS: xds, INMESH_SNAPSHOT: snapshot };
    {
      await using first = new Application(env);
      expect(await first.next()).toMatchObject({ answer: '200 served', stale: 0, said: [] });
    }
    await stopControlPlane();
  });
  afterEach(async () => {
    await stopControlPlane();
    await origin.close();
    rmSync(folder, { recursive: true });
  });

  it('serves from the last good configuration, says so everywhere, and yields to the control plane when it is back', async () => {
    expect(statSync(snapshot).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['mesh.snapshot']);
    await using second = new Application(env);
    const seen = await second.next();
    expect(seen).toMatchObject({ answer: '200 served', stale: 4, state: 'waiting' });
    expect(seen.notes.join()).toMatch(/from the snapshot on disk, sent at 20.*, not confirmed since/);
    expect(seen.said.map(({ kind }) => kind)).toEqual(['xds-stale', 'xds-stale', 'xds-stale', 'xds-stale']);
    const answer = '- directResponse: { status: 503, body: { string: new } }';
    await startControlPlane(env.INMESH_XDS ?? '', `${service('echo', { v1: origin.port })}${rules('echo', answer)}`);
    await expect
      .poll(() => second.again(), { timeout: 10_000, interval: 100 })
      .toMatchObject({ answer: '503 new', stale: 0 });
  }, 30_000);

  it.each<[string, (text: string) => string]>([
    ['cut', (text) => text.slice(0, text.length / 2)],
    ['changed', (text) => text.replaceAll('A', 'B')],
    ['of another version', (text) => text.replace('snapshot 2', 'snapshot 9')],
    ['empty', () => ''],
  ])(
    'a snapshot that is %s is not used, says so, and harms neither this start nor the next',
    async (_what, spoil) => {
      writeFileSync(snapshot, spoil(readFileSync(snapshot, 'utf8')));
      await using second = new Application(env);
      const seen = await second.next();
      expect(seen.answer).toMatch(/^503 /);
      expect(seen.said).toEqual([{ kind: 'warning', message: expect.stringContaining('the snapshot is not used: ') }]);
      await startControlPlane(env.INMESH_XDS ?? '', yaml());
      await expect
        .poll(() => second.again(), { timeout: 10_000, interval: 100 })
        .toMatchObject({ answer: '200 served' });
      expect(second.err).toBe('');
    },
    30_000,
  );
});
