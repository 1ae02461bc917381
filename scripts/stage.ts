// Builds the packages as they are published, each into a folder of its own.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { build } from 'rolldown';
import { atFirstUse } from './first-use.ts';

export const PACKAGES = ['sdk', 'xds-server'] as const;

/** By folder from the root: the built files that are entry points of the SDK. */
type Entries = Readonly<Record<string, string>>;

/** Into FOLDER/sdk and FOLDER/xds-server. */
export async function stagePackages(folder: string): Promise<void> {
  compile();
  for (const name of PACKAGES) stage(name, path.join(folder, name));
  await bundleSdk(path.join(folder, 'sdk'));
}

function compile(): void {
  for (const name of PACKAGES) rmSync(path.join(name, 'dist'), { recursive: true, force: true });
  const projects = PACKAGES.map((name) => path.join(name, 'tsconfig.build.json'));
  const args = [path.join('node_modules', 'typescript', 'bin', 'tsc'), '-b', '--force', ...projects];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the packages do not compile: see above');
}

/** The package as it is published: what `files` names, the licence, and an `exports` of built files only. */
function stage(name: string, target: string): void {
  mkdirSync(target, { recursive: true });
  const manifest = JSON.parse(readFileSync(path.join(name, 'package.json'), 'utf8'));
  for (const part of manifest.files) cpSync(path.join(name, part), path.join(target, part), { recursive: true });
  for (const page of ['LICENSE', 'README.md']) {
    cpSync(existsSync(path.join(name, page)) ? path.join(name, page) : page, path.join(target, page));
  }
  rmSync(path.join(target, 'dist', '.tsbuildinfo'));
  const published = { ...manifest, exports: withoutSources(manifest.exports) };
  writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

/** `source` is the workspace's own condition: Node strips no types below node_modules, and other tools read it as theirs. */
function withoutSources(exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null) return exported;
  const kept = Object.entries(exported).filter(([condition]) => condition !== 'source');
  return Object.fromEntries(kept.map(([name, target]) => [name, withoutSources(target)]));
}

/** Packages that are loaded in many small files: protobuf-es, and the reading of certificates. Each is in THIRD-PARTY-NOTICES. */
const BUNDLED = ['@bufbuild/protobuf', '@peculiar/asn1-', '@peculiar/utils', 'asn1js', 'pvtsutils', 'pvutils', 'tslib'];

const isBundled = (id: string): boolean => BUNDLED.some((name) => id.startsWith(name));

/**
 * The SDK's two hundred modules, protobuf-es's sixty and those of ASN.1 become a few files, a third less CPU up to the first
 * call. All entry points come out of one build, so whichever of them load a module share its one instance. Types stay as they are.
 */
async function bundleSdk(target: string): Promise<void> {
  for (const file of globSync('{dist,gen}/**/*.js', { cwd: target })) rmSync(path.join(target, file));
  await build({
    input: {
      'dist/index': 'sdk/dist/index.js',
      'dist/register': 'sdk/dist/register.js',
      'dist/server/index': 'sdk/dist/server/index.js',
      'dist/grpc-entry': 'sdk/dist/grpc-entry.js',
      'dist/connectrpc-entry': 'sdk/dist/connectrpc-entry.js',
      ...internalEntries(),
    },
    platform: 'node',
    plugins: [atFirstUse()],
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id) && !isBundled(id),
    // Those of ASN.1 have their ES modules where `module` says.
    resolve: { mainFields: ['module', 'main'] },
    logLevel: 'warn',
    output: { dir: target, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'dist/chunks/[name]-[hash].js' },
  });
}

/** Of `@inmesh/sdk/internal/*`, what the siblings load. */
function internalEntries(): Entries {
  const files = globSync('xds-server/dist/**/*.js').map((file) => readFileSync(file, 'utf8'));
  const names = files.flatMap((text) =>
    [...text.matchAll(/['"]@inmesh\/sdk\/internal\/([^'"]+)['"]/g)].map(([, name]) => name),
  );
  return Object.fromEntries(
    names.map((name) =>
      name?.startsWith('gen/') ? [name, `sdk/${name}.js`] : [`dist/${name}`, `sdk/dist/${name}.js`],
    ),
  );
}
