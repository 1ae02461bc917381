import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BuildOptions, build as esbuild } from 'esbuild';
import { build as rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { printed } from './run-program.ts';

const project = inject('project');
const CLUSTER = 'outbound|80||ratings.example';

/** esbuild makes no `require` in an ES module, and undici is CommonJS that requires Node's modules: the known line mends it. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

function withEsbuild(entry: string, outfile: string, options: BuildOptions): Promise<unknown> {
  return esbuild({
    absWorkingDir: project,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node22',
    minify: true,
    logLevel: 'silent',
    ...options,
  });
}

type Bundle = (entry: string, outfile: string) => Promise<unknown>;

const BUNDLERS: Readonly<Record<string, { readonly extension: string; readonly bundle: Bundle }>> = {
  'esbuild, an ES module': {
    extension: 'mjs',
    bundle: (entry, outfile) => withEsbuild(entry, outfile, { format: 'esm', banner: { js: REQUIRE } }),
  },
  'rolldown, an ES module': {
    extension: 'mjs',
    bundle: (input, file) =>
      rolldown({
        cwd: project,
        input,
        platform: 'node',
        logLevel: 'silent',
        output: { file, format: 'esm', minify: true, codeSplitting: false },
      }),
  },
};

describe.each(Object.entries(BUNDLERS))('one file made by %s', (_name, { extension, bundle }) => {
  let plane: ControlPlane;
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bundle-'));
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(async () => {
    await plane.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Built from the installed packages, run in an empty folder. */
  async function runBundle(program: string): Promise<unknown> {
    const cwd = path.join(folder, program);
    mkdirSync(cwd);
    const file = path.join(cwd, `app.${extension}`);
    await bundle(path.join(project, program), file);
    expect(readdirSync(cwd)).toEqual([path.basename(file)]);
    return printed(process.execPath, [file], { cwd, env: plane.env });
  }

  it('calls through the mesh', async () => {
    expect(await runBundle('esm.mjs')).toEqual({ text: 'five', cluster: CLUSTER });
  });

  it("keeps the import that puts the mesh under the platform's fetch", async () => {
    expect(await runBundle('registered-import.mjs')).toEqual({ text: 'five', cluster: CLUSTER });
  });

  it('holds a control plane too, where one is asked for', async () => {
    expect(await runBundle('embedded.mjs')).toMatchObject({ text: 'four' });
  });
});

describe('one file made by esbuild, CommonJS', () => {
  it('calls through the mesh', async () => {
    const plane = await startControlPlane();
    const cwd = mkdtempSync(path.join(tmpdir(), 'inmesh-bundle-'));
    await withEsbuild(path.join(project, 'commonjs.cjs'), path.join(cwd, 'app.cjs'), { format: 'cjs' });
    expect(await printed(process.execPath, ['app.cjs'], { cwd, env: plane.env })).toMatchObject({
      text: 'five',
      cluster: CLUSTER,
    });
    await plane.close();
    rmSync(cwd, { recursive: true, force: true });
  });
});
