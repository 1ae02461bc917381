import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { printed, runProgram } from './run-program.ts';

const project = inject('project');
const versions = Object.entries(inject('grpcJs'));

/** What `programs/grpc.mjs` prints. */
const ANSWERS = {
  unary: 'one interceptor it',
  failed: '5 true',
  late: '4 true',
  cancelled: 1,
  collected: 'ab',
  spread: 'xyz',
  chatted: 'ping',
  made: 'two  ',
  direct: 'three  ',
  ready: true,
  states: [2, 'echo:80'],
};

/** What `programs/grpc-server.mjs` prints. */
const SERVED = {
  unary: 'web',
  collected: 'web',
  spread: 'web',
  chatted: 'web',
  plain: true,
  shutdown: true,
  states: ['serving', 'MESH_NOT_READY'],
};

it('the lowest release tried is the lowest of the range', () => {
  const manifest = readFileSync(path.join(project, 'node_modules/@inmesh/sdk/package.json'), 'utf8');
  expect(JSON.parse(manifest).peerDependencies['@grpc/grpc-js']).toBe(`^${versions[0]?.[0]}`);
});

describe.each(versions)('with @grpc/grpc-js %s', (_, found) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-grpc-'));
  beforeAll(() => {
    cpSync(project, folder, { recursive: true });
    // The control plane has brought one.
    const link = path.join(folder, 'node_modules/@grpc/grpc-js');
    rmSync(link, { recursive: true, force: true });
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(found, link, 'junction');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('clients of every kind of call are on the mesh', async () => {
    expect(await printed(process.execPath, ['grpc.mjs'], { cwd: folder })).toEqual(ANSWERS);
  });

  it('a guarded server proves its callers in every kind of call, and ends when it is told to', async () => {
    expect(await printed(process.execPath, ['grpc-server.mjs'], { cwd: folder })).toEqual(SERVED);
  });

  it.each(Object.entries(inject('compilers')))('its types and ours agree under TypeScript %s', async (version, tsc) => {
    const file = path.join(folder, `tsconfig-grpc-${version}.json`);
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
      ...{ noEmit: true, target: 'es2022', module: 'nodenext', lib: ['es2024', 'esnext.disposable'], types: ['node'] },
    };
    writeFileSync(file, JSON.stringify({ compilerOptions, files: ['grpc-types.mts'] }));
    const { code, stdout } = await runProgram(process.execPath, [tsc, '-p', file], { cwd: folder });
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});
