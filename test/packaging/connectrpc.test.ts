import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { printed, runProgram } from './run-program.ts';

const project = inject('project');
const versions = Object.entries(inject('connectrpc'));

/** What `programs/connectrpc.mjs` prints, by protocol. */
const ANSWERS = { unary: 'one head trail', failed: 5, late: 4, collected: 'ab', spread: 'xyz' };
const EXPECTED = { connect: ANSWERS, grpc: { ...ANSWERS, chatted: 'ping' }, grpcWeb: ANSWERS };

it('the lowest release tried is the lowest of the range', () => {
  const manifest = readFileSync(path.join(project, 'node_modules/@inmesh/sdk/package.json'), 'utf8');
  const { peerDependencies } = JSON.parse(manifest);
  for (const name of ['connect', 'connect-node']) {
    expect(peerDependencies[`@connectrpc/${name}`]).toBe(`^${versions[0]?.[0]}`);
  }
});

describe.each(versions)('with @connectrpc/connect and connect-node %s', (_, found) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-connectrpc-'));
  beforeAll(() => {
    cpSync(project, folder, { recursive: true });
    cpSync(found, path.join(folder, 'node_modules/@connectrpc'), { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('clients of every protocol and every kind of call are on the mesh', async () => {
    expect(await printed(process.execPath, ['connectrpc.mjs'], { cwd: folder })).toEqual(EXPECTED);
  });

  it.each(Object.entries(inject('compilers')))('its types and ours agree under TypeScript %s', async (version, tsc) => {
    const file = path.join(folder, `tsconfig-connectrpc-${version}.json`);
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
      ...{ noEmit: true, target: 'es2022', module: 'nodenext', lib: ['es2024', 'esnext.disposable'], types: ['node'] },
    };
    writeFileSync(file, JSON.stringify({ compilerOptions, files: ['connectrpc-types.mts'] }));
    const { code, stdout } = await runProgram(process.execPath, [tsc, '-p', file], { cwd: folder });
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});
