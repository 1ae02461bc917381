import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

declare module 'vitest' {
  interface ProvidedContext {
    /** A project whose only dependencies are the tarballs, with the programs of `programs/` in it. */
    readonly project: string;
    /** Folder of the tarballs. */
    readonly packages: string;
    /** Name → executable; a Node that the registry has no build of for this machine is left out. */
    readonly nodes: Readonly<Record<string, string>>;
    /** Version → `tsc` of it. */
    readonly compilers: Readonly<Record<string, string>>;
    /** Folder of the package. */
    readonly oldestUndici: string;
    /** Version → folder of the package, with what it depends on beside it. */
    readonly grpcJs: Readonly<Record<string, string>>;
    /** Version → folder of `@connectrpc`, with connect and connect-node in it. */
    readonly connectrpc: Readonly<Record<string, string>>;
  }
}

/** The oldest Node and undici we say we run on, and the compilers a consumer may have. */
const OLDEST_NODE = '22.19.0';
const OLDEST_UNDICI = '8.12.0';
/** The lowest of the SDK's range and the newest there is. */
const GRPC_JS = ['1.10.0', '1.14.7'];
const CONNECTRPC = ['2.0.0', '2.1.2'];
const COMPILERS = { '5.9': '5.9.3', '6.0': '6.0.3' };

function npm(args: readonly string[], cwd: string): void {
  const shell = process.platform === 'win32';
  execFileSync('npm', [...args], { cwd, stdio: ['ignore', 'ignore', 'inherit'], shell });
}

const INSTALL = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];

/** connect-node takes one release of connect alone: each pair has a folder of its own. */
function installConnectrpc(version: string, folder: string): string {
  const own = path.join(folder, `connectrpc-${version}`);
  const found = path.join(own, 'node_modules/@connectrpc');
  if (existsSync(found)) return found;
  mkdirSync(own, { recursive: true });
  const dependencies = { '@connectrpc/connect': version, '@connectrpc/connect-node': version };
  writeFileSync(path.join(own, 'package.json'), JSON.stringify({ private: true, dependencies }));
  npm([...INSTALL, '--no-package-lock'], own);
  return found;
}

/** Pinned and without dependencies, so they need no lockfile; kept between runs, outside the repository. */
function installTools(): Omit<Provided, 'project' | 'packages'> {
  const folder = path.join(process.env.INMESH_CACHE ?? path.join(homedir(), '.cache', 'inmesh'), 'packaging');
  const node = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const compilers = Object.entries(COMPILERS).map(([name, version]) => [
    `typescript-${name}`,
    `npm:typescript@${version}`,
  ]);
  const manifest = JSON.stringify({
    private: true,
    dependencies: {
      ...Object.fromEntries(compilers),
      ...Object.fromEntries(GRPC_JS.map((version) => [`grpc-js-${version}`, `npm:@grpc/grpc-js@${version}`])),
      undici: OLDEST_UNDICI,
    },
    optionalDependencies: { [node]: OLDEST_NODE },
  });
  const file = path.join(folder, 'package.json');
  if (!existsSync(path.join(folder, 'node_modules')) || readFileSync(file, 'utf8') !== manifest) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, manifest);
    npm([...INSTALL, '--no-package-lock'], folder);
  }
  const modules = path.join(folder, 'node_modules');
  const oldest = path.join(modules, node, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  return {
    oldestUndici: path.join(modules, 'undici'),
    connectrpc: Object.fromEntries(CONNECTRPC.map((version) => [version, installConnectrpc(version, folder)])),
    grpcJs: Object.fromEntries(GRPC_JS.map((version) => [version, path.join(modules, `grpc-js-${version}`)])),
    nodes: { ...(existsSync(oldest) && { [OLDEST_NODE]: oldest }), [process.versions.node]: process.execPath },
    compilers: {
      ...Object.fromEntries(
        Object.keys(COMPILERS).map((name) => [name, path.join(modules, `typescript-${name}`, 'bin/tsc')]),
      ),
      '7.0': path.join(ROOT, 'node_modules/typescript/bin/tsc'),
    },
  };
}

/** What a user does: an empty folder, the two packages, his program. `second-copy` is another copy of the SDK, as npm makes them. */
function installPackages(project: string): string {
  const packages = path.join(project, 'packed');
  execFileSync(process.execPath, ['scripts/pack.mjs', packages], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const tarball = (name: string) => {
    const found = readdirSync(packages).find((file) => file.startsWith(`inmesh-${name}-`));
    return `file:packed/${found}`;
  };
  const root = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const manifest = {
    private: true,
    dependencies: {
      '@inmesh/sdk': tarball('sdk'),
      '@inmesh/xds-server': tarball('xds-server'),
      '@types/node': root.devDependencies['@types/node'],
    },
  };
  writeFileSync(path.join(project, 'package.json'), JSON.stringify(manifest));
  npm(INSTALL, project);
  cpSync(path.join(project, 'node_modules/@inmesh/sdk'), path.join(project, 'node_modules/second-copy'), {
    recursive: true,
  });
  cpSync(path.join(ROOT, 'test/packaging/programs'), project, { recursive: true });
  return packages;
}

interface Provided {
  readonly project: string;
  readonly packages: string;
  readonly nodes: Readonly<Record<string, string>>;
  readonly compilers: Readonly<Record<string, string>>;
  readonly oldestUndici: string;
  readonly grpcJs: Readonly<Record<string, string>>;
  readonly connectrpc: Readonly<Record<string, string>>;
}

function provideAll(tests: TestProject, provided: Provided): void {
  for (const [name, value] of Object.entries(provided)) tests.provide(name as keyof Provided, value);
}

export function setup(tests: TestProject): () => void {
  const project = mkdtempSync(path.join(tmpdir(), 'inmesh-packaging-'));
  const packages = installPackages(project);
  provideAll(tests, { project, packages, ...installTools() });
  return () => rmSync(project, { recursive: true, force: true });
}
