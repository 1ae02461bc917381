import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { printed, runProgram } from './run-program.ts';

const cwd = inject('project');
const CLUSTER = 'outbound|80||ratings.example';

/** One line for each way to call. */
const SURFACE = {
  many: 1,
  stream: 'six and seven',
  request: '200 eight',
  dispatcher: 'five',
  installed: 'five',
  aborted: 'enough',
};

describe.each(Object.entries(inject('nodes')))('installed from tarballs, on Node %s', (_version, node) => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(() => plane.close());
  const print = (...args: string[]) => printed(node, args, { cwd, env: plane.env });

  it('an ES module imports it, calls through the mesh, and ends by itself', async () => {
    expect(await print('esm.mjs')).toEqual({ text: 'five', cluster: CLUSTER });
  });

  it('CommonJS requires it, and gets the very module that import gives', async () => {
    expect(await print('commonjs.cjs')).toEqual({ text: 'five', cluster: CLUSTER, isOne: true });
  });

  it('every way to call works', async () => {
    expect(await print('surface.mjs')).toEqual(SURFACE);
  });

  it("--import @inmesh/sdk/register makes the platform's fetch go through the mesh", async () => {
    expect(await print('--import', '@inmesh/sdk/register', 'registered.mjs')).toEqual({
      text: 'five',
      cluster: CLUSTER,
    });
  });

  it('control plane and applications run in one process, no port of the mesh open', async () => {
    const { text, cluster } = (await print('embedded.mjs')) as Record<string, string>;
    expect(text).toBe('four');
    expect(cluster).toMatch(/^outbound\|\d+\|\|ratings\.default\.svc\.cluster\.local$/);
  });

  it('a guarded server is called with mutual TLS', async () => {
    expect(await print('guarded.mjs')).toEqual({ status: 200, caller: 'web' });
  });

  it('each worker thread is a mesh of its own and ends when its program does', async () => {
    expect(await print('threads.mjs')).toEqual({ texts: ['five', 'five', 'five', 'five'], exits: [0, 0, 0] });
  });

  it('each worker of a cluster serves the shared port and calls through its own mesh', async () => {
    const { texts, exits } = (await print('clustered.mjs')) as {
      texts: { by: number; text: string }[];
      exits: number[];
    };
    expect(texts.map(({ text }) => text)).toEqual(['five', 'five', 'five', 'five', 'five']);
    expect(new Set(texts.map(({ by }) => by))).toEqual(new Set([0, 1, 2]));
    expect(exits).toEqual([0, 0]);
  });

  it("two copies in one process share the default mesh and know each other's errors", async () => {
    expect(await print('two-copies.mjs')).toEqual({
      areTwo: true,
      oneMesh: true,
      recognised: true,
      foreign: false,
      texts: ['five', 'five'],
    });
  });

  it('the inmesh command writes a mesh and finds nothing wrong with it', async () => {
    const bin = 'node_modules/@inmesh/xds-server/bin/inmesh.mjs';
    const init = await runProgram(node, [bin, 'init', `mesh-${_version}`], { cwd });
    expect(init).toMatchObject({ code: 0, stderr: '' });
    const check = await runProgram(node, [bin, 'check', '--config', `mesh-${_version}`], { cwd });
    expect(check).toMatchObject({ code: 0, stderr: '' });
  });
});

describe("with the oldest undici of the SDK's range", () => {
  it('every way to call works', async () => {
    const plane = await startControlPlane();
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-oldest-'));
    cpSync(cwd, folder, { recursive: true });
    rmSync(path.join(folder, 'node_modules/undici'), { recursive: true });
    cpSync(inject('oldestUndici'), path.join(folder, 'node_modules/undici'), { recursive: true });
    const { dependencies } = JSON.parse(
      readFileSync(path.join(folder, 'node_modules/@inmesh/sdk/package.json'), 'utf8'),
    );
    const { version } = JSON.parse(readFileSync(path.join(folder, 'node_modules/undici/package.json'), 'utf8'));
    expect(dependencies.undici).toBe(`~${version}`);
    expect(await printed(process.execPath, ['surface.mjs'], { cwd: folder, env: plane.env })).toEqual(SURFACE);
    rmSync(folder, { recursive: true, force: true });
    await plane.close();
  });
});
