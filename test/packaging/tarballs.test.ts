import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { describe, expect, inject, it } from 'vitest';

const folder = inject('packages');
const project = inject('project');
const tarballs = readdirSync(folder).map((file) => {
  const name = /^inmesh-(.*)-[\d.]+\.tgz$/.exec(file)?.[1];
  return {
    name: `@inmesh/${name}`,
    file: path.join(folder, file),
    installed: path.join(project, 'node_modules/@inmesh', `${name}`),
  };
});

/**
 * We publish ES modules only: every Node we run on can require them. attw says so of each entry point (that CommonJS gets an ES
 * module; that resolution from before `exports` finds no subpath); of these it is told to expect, all else is a fault.
 */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  CJSResolvesToESM: ['node16-cjs'],
  NoResolution: ['node10'],
  UntypedResolution: ['node10'],
};

describe.each(tarballs)('$name as published', ({ file, installed }) => {
  it('publint has nothing against it', async () => {
    const bytes = readFileSync(file);
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages } = await publint({ strict: true, pack: { tarball } });
    expect(messages).toEqual([]);
  });

  it('attw finds the types of every entry point, under every resolution that can load it', async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(file)));
    if (!result.types) throw new Error('no types at all');
    const faults = result.problems.filter(
      (problem) => !('resolutionKind' in problem && EXPECTED[problem.kind]?.includes(problem.resolutionKind)),
    );
    expect(faults).toEqual([]);
  });

  it('holds built files alone: no sources, no tests, no condition that would ask for them', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    const strange = files.filter((name) =>
      /(^|\/)src(\/|$)|\.test\.|\.fixture\.|[^d]\.ts$|\.proto$|tsbuildinfo/.test(name),
    );
    expect(strange).toEqual([]);
    expect(readFileSync(path.join(installed, 'package.json'), 'utf8')).not.toMatch(/"source"/);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md']));
  });
});

describe('the bundle of @inmesh/sdk', () => {
  const sdk = path.join(project, 'node_modules/@inmesh/sdk');
  const scripts = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') }));

  it('has each module in one file, so that it has one instance whoever loads it', () => {
    const modules = scripts(sdk).flatMap(({ text }) => text.match(/^\/\/(?:#region)? ?\S+\.js$/gm) ?? []);
    expect(modules.length).toBeGreaterThan(100);
    expect(modules.filter((module, i) => modules.indexOf(module) !== i)).toEqual([]);
  });

  it('has an entry point for each internal module that the control plane loads', () => {
    const server = scripts(path.join(project, 'node_modules/@inmesh/xds-server/dist'));
    const named = server.flatMap(({ text }) => text.match(/(?<=['"]@inmesh\/sdk\/internal\/)[^'"]+/g) ?? []);
    const files = new Set(named.map((name) => (name.startsWith('gen/') ? `${name}.js` : `dist/${name}.js`)));
    const present = scripts(sdk).map(({ name }) => name);
    expect(files.size).toBeGreaterThan(5);
    expect([...files].filter((file) => !present.includes(file))).toEqual([]);
  });
});

describe('dependencies of @inmesh/sdk', () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(path.join(project, 'node_modules/@inmesh/sdk/package.json'), 'utf8'),
  );

  it('are these nine', () => {
    expect(Object.keys(dependencies)).toEqual([
      '@bufbuild/protobuf',
      '@peculiar/asn1-csr',
      '@peculiar/asn1-schema',
      '@peculiar/asn1-x509',
      'jose',
      'opossum',
      'prom-client',
      're2js',
      'undici',
    ]);
  });

  it("gRPC, Connect and OpenTelemetry are the application's own copies, and optional", () => {
    expect(Object.keys(peerDependencies)).toEqual([
      '@connectrpc/connect',
      '@connectrpc/connect-node',
      '@grpc/grpc-js',
      '@opentelemetry/api',
    ]);
    expect(peerDependenciesMeta).toEqual({
      '@connectrpc/connect': { optional: true },
      '@connectrpc/connect-node': { optional: true },
      '@grpc/grpc-js': { optional: true },
      '@opentelemetry/api': { optional: true },
    });
  });
});
