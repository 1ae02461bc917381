import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** What CONTRIBUTING.md asks of every tracked file and what no linter sees. */
const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const SELF = 'test/house-rules.test.ts';

/** Made by others or by a program: not ours to style. */
const FOREIGN = /^(sdk\/gen\/|sdk\/proto\/third_party\/|LICENSE$|package-lock\.json$)/;
const FIXTURE = /^test\/fixtures\/|\.(png|ico|woff2)$/;

/** Tracked files and new ones that git does not ignore; outside a checkout there is nothing to hold. */
function listFiles(): string[] {
  const { stdout, status } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) return [];
  return stdout.split('\0').filter((file) => {
    const full = path.join(ROOT, file);
    return file !== '' && existsSync(full) && statSync(full).isFile();
  });
}

const files = listFiles();
const ours = files.filter((file) => !FOREIGN.test(file) && !FIXTURE.test(file));
const sources = ours.filter((file) => /\.(ts|mts|cts|js|mjs|cjs)$/.test(file));

const linesOf = (file: string): string[] => readFileSync(path.join(ROOT, file), 'utf8').split('\n');

/** `file:line: text` wherever the pattern stands. */
function found(pattern: RegExp, among: readonly string[]): string[] {
  return among
    .filter((file) => file !== SELF)
    .flatMap((file) =>
      linesOf(file).flatMap((line, at) =>
        pattern.test(line) ? [`${file}:${at + 1}: ${line.trim().slice(0, 160)}`] : [],
      ),
    );
}

describe.skipIf(files.length === 0)('house rules', () => {
  it('no source file is longer than 500 lines', () => {
    const long = sources
      .map((file) => `${file}: ${linesOf(file).length - 1}`)
      .filter((text) => Number(text.split(': ')[1]) > 500);
    expect(long).toEqual([]);
  });

  it('files are kebab-case and named for a thing of the domain', () => {
    const shapeless = /(^|[-.])(utils?|helpers?|commons?|managers?|misc|impl|info)([-.]|$)/;
    // "HTTP connection manager" is the protocol's own name.
    const names = sources.map((file) => ({ file, name: path.basename(file).replace('connection-manager', '') }));
    expect(names.filter(({ name }) => shapeless.test(name) || /[A-Z_]/.test(name)).map(({ file }) => file)).toEqual([]);
  });

  it('no file names a folder of the machine it was written on', () => {
    const machine =
      /(?<![\w.$}~-])\/(work|root|home\/\w+|Users\/\w+)\/|[A-Z]:\\Users\\|\.\.\/shared\/(design|reference|spikes)/;
    expect(found(machine, ours)).toEqual([]);
  });

  it('no file names a package registry: everyone has their own', () => {
    expect(
      found(/registry\.(npmjs|yarnpkg)|^\s*(@\w+:)?registry\s*=|--(registry|index-url)\b|pypi\.org/, ours),
    ).toEqual([]);
    const resolved = linesOf('package-lock.json').filter((line) => /"resolved": "(https?|git|file):/.test(line));
    expect(resolved).toEqual([]);
  });

  it('the lockfile names the native packages of every platform, so that `npm ci` works on each', () => {
    const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const optional = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    const locked = new Set(Object.keys(packages).map((place) => place.slice(place.lastIndexOf('node_modules/') + 13)));
    expect([...new Set(optional)].filter((name) => !locked.has(name))).toEqual([]);
  });

  it('text is about the program, not about who wrote it when', () => {
    const story =
      /\b(LLM|language model|(coding|chat|this|previous|earlier) session|issues? (#?\d|show)|prompt engineering)\b/i;
    expect(found(story, ours)).toEqual([]);
  });

  it('nothing is left to do and no check is switched off', () => {
    expect(found(/\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck)|\bit\.only\(|\bdescribe\.only\(/, sources)).toEqual(
      [],
    );
  });

  it('nothing in the packages works on Linux alone', () => {
    const linux = /['"`/]proc\/|['"`]\/(proc|sys|dev\/shm)\/|['"]\\0[^'"]|\bepoll\b|platform\s*===\s*'linux'/;
    const shipped = sources.filter((file) => /^(sdk|xds-server)\/(src|bin)\//.test(file) && !file.endsWith('.test.ts'));
    expect(found(linux, shipped)).toEqual([]);
  });

  it('peers are verified: what says who is taken without it stands in two places, and nothing says that nobody is', () => {
    const verifying = /^sdk\/src\/identity\/(client|server)-tls\.ts$/;
    const shipped = sources.filter((file) => /^(sdk|xds-server|node-agent|examples)\//.test(file));
    const unproven = shipped.filter((file) => !file.endsWith('.test.ts') && !verifying.test(file));
    // `true` said outright keeps NODE_TLS_REJECT_UNAUTHORIZED from deciding it.
    expect(found(/rejectUnauthorized(?!: true,)/, unproven)).toEqual([]);
    expect(found(/rejectUnauthorized['"]?\s*[:=]\s*(false|0|undefined)/, sources)).toEqual([]);
    // A test may set it, to show that it changes nothing.
    const running = sources.filter((file) => !file.endsWith('.test.ts'));
    expect(found(/REJECT_UNAUTHORIZED['"\]]*\s*[:=]/, running)).toEqual([]);
  });

  it('no .proto and no WebAssembly is read while a program runs', () => {
    const shipped = sources.filter((file) => /^(sdk|xds-server)\/(src|bin)\//.test(file) && !file.endsWith('.test.ts'));
    expect(found(/\.proto['"`]|WebAssembly|\.wasm\b|proto-loader/, shipped)).toEqual([]);
  });

  it('a launcher command stands in package.json under the same name', () => {
    const scripts = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).scripts as Record<string, string>;
    const launcher = readFileSync(path.join(ROOT, 'scripts/run.mjs'), 'utf8');
    for (const [name, command] of Object.entries(scripts)) {
      expect(command).toBe(`node scripts/run.mjs ${name}`);
      expect(launcher).toMatch(new RegExp(`^  ${name}: \\[`, 'm'));
    }
  });
});
