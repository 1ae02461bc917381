import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { runProgram } from './run-program.ts';

const project = inject('project');

/** How a careful user compiles: every declaration is checked, his and ours. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  types: ['node'],
};

const WAYS = {
  'as Node resolves': { module: 'nodenext', lib: ['es2024', 'esnext.disposable'] },
  'as bundlers resolve': { module: 'esnext', moduleResolution: 'bundler', lib: ['es2024', 'esnext.disposable'] },
  "beside the browser's types": { module: 'nodenext', lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable'] },
};

describe.each(Object.entries(inject('compilers')))('types under TypeScript %s', (version, tsc) => {
  it.each(Object.entries(WAYS))('%s', async (way, options) => {
    const file = path.join(project, `tsconfig-${version}-${Object.keys(WAYS).indexOf(way)}.json`);
    const files = options.module === 'nodenext' ? ['consumer.mts', 'consumer.cts'] : ['consumer.mts'];
    writeFileSync(file, JSON.stringify({ compilerOptions: { ...STRICT, ...options }, files }));
    const { code, stdout } = await runProgram(process.execPath, [tsc, '-p', file], { cwd: project });
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});
