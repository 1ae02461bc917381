import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * The layers of docs/architecture.md, top to bottom: a folder imports only from those below it, and only from what stands
 * in its own list. A pure folder imports nothing of Node and knows neither clock nor chance.
 */
const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

interface Layers {
  /** From the top; a name is a folder or a file (without .ts) of src. */
  readonly order: readonly string[];
  readonly pure: ReadonlySet<string>;
}

const SDK: Layers = {
  order: [
    'index',
    'register',
    'server',
    'grpc-entry',
    'connectrpc-entry',
    'connectrpc',
    'mesh',
    'options',
    'breaker',
    'connect',
    'grpc',
    'http',
    'telemetry',
    'explain',
    'propagation',
    'call',
    'loads',
    'upstream',
    'connection',
    'hbone',
    'config',
    'identity',
    'discovery',
    'wire',
    'resource',
    'bootstrap',
    'route',
    'balancer',
    'authz',
    'match',
    'model',
    'defaults',
    'clock',
    'shared-timers',
    'errors',
  ],
  pure: new Set(['route', 'balancer', 'authz', 'match', 'model', 'errors']),
};

const XDS_SERVER: Layers = {
  order: [
    'main',
    'index',
    'cli',
    'testing',
    'embedded',
    'admin',
    'discovery',
    'source',
    'status',
    'ca',
    'auth',
    'kubernetes',
    'lint',
    'snapshot',
    'translate',
    'graph',
    'registry',
    'schema',
    'loopback',
    'defaults',
  ],
  pure: new Set(['lint', 'snapshot', 'translate', 'graph', 'registry', 'schema']),
};

/** May be imported across packages: what the siblings may see of the SDK. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  'xds-server': ['@inmesh/sdk'],
  'node-agent': ['@inmesh/sdk'],
  examples: ['@inmesh/sdk', '@inmesh/xds-server'],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.(test|fixture|d)\.ts$/.test(file) && !file.includes('node_modules'))
    .map((file) => path.join(folder, file));
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const IMPORT =
  /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|(?:import|require)\(\s*'([^']+)'\s*\)/gm;

function imports(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => ({
    from: file,
    to: match[2] ?? match[3] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

const layerOf = (src: string, file: string): string =>
  path.relative(src, file).split(path.sep)[0]?.replace(/\.ts$/, '') ?? '';

function upward(src: string, { order }: Layers): string[] {
  const faults: string[] = [];
  for (const { from, to, typeOnly } of sources(src).flatMap(imports)) {
    const layer = layerOf(src, from);
    if (!order.includes(layer))
      faults.push(`${path.relative(ROOT, from)}: folder "${layer}" has no place in the order`);
    if (!to.startsWith('.') || typeOnly) continue;
    const target = layerOf(src, path.resolve(path.dirname(from), to));
    if (target === '..' || target === layer) continue;
    if (order.indexOf(target) < order.indexOf(layer))
      faults.push(`${path.relative(ROOT, from)} imports ${to}: ${layer} stands below ${target}`);
  }
  return faults;
}

function impure(src: string, { pure }: Layers): string[] {
  const faults: string[] = [];
  const clock = /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random)\s*\(|new Date\(\)/;
  for (const file of sources(src).filter((candidate) => pure.has(layerOf(src, candidate)))) {
    for (const { to, typeOnly } of imports(file)) {
      if (to.startsWith('node:') && !typeOnly) faults.push(`${path.relative(ROOT, file)} imports ${to}`);
    }
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    const found = clock.exec(code);
    if (found) faults.push(`${path.relative(ROOT, file)} calls ${found[0]}`);
  }
  return faults;
}

function cycles(src: string): string[] {
  const graph = new Map<string, string[]>();
  for (const file of sources(src)) {
    const targets = imports(file).filter(({ to, typeOnly }) => to.startsWith('.') && !typeOnly && to.endsWith('.ts'));
    graph.set(
      file,
      targets.map(({ to }) => path.resolve(path.dirname(file), to)),
    );
  }
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) {
      found.push([...trail.slice(at), file].map((step) => path.relative(ROOT, step)).join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

describe('import order', () => {
  for (const [name, layers] of [
    ['sdk', SDK],
    ['xds-server', XDS_SERVER],
  ] as const) {
    const src = path.join(ROOT, name, 'src');
    it(`${name}: imports run downward only`, () => expect(upward(src, layers)).toEqual([]));
    it(`${name}: pure folders import no node: module and touch neither clock nor chance`, () =>
      expect(impure(src, layers)).toEqual([]));
    it(`${name}: has no import cycle`, () => expect(cycles(src)).toEqual([]));
  }

  it('fixtures are for tests: nothing that is built imports one', () => {
    const built = ['sdk/src', 'xds-server/src'].flatMap((src) => sources(path.join(ROOT, src)).flatMap(imports));
    expect(built.filter(({ to }) => to.endsWith('.fixture.ts')).map(({ from }) => from)).toEqual([]);
  });

  it('packages import only the packages below them', () => {
    const faults: string[] = [];
    for (const [name, allowed] of Object.entries(PACKAGES)) {
      const folder = name === 'examples' ? path.join(ROOT, name) : path.join(ROOT, name, 'src');
      for (const { from, to } of sources(folder).flatMap(imports)) {
        const outside =
          to.startsWith('@inmesh/') && !allowed.some((prefix) => to === prefix || to.startsWith(`${prefix}/`));
        const inside = name === 'examples' && to.startsWith('@inmesh/sdk/internal');
        const escaped = to.startsWith('.') && !path.resolve(path.dirname(from), to).startsWith(path.join(ROOT, name));
        if (outside || inside || escaped) faults.push(`${path.relative(ROOT, from)} imports ${to}`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('protobuf stops at resource/, discovery/, loads/ and wire/ in the SDK', () => {
    const src = path.join(ROOT, 'sdk', 'src');
    const allowed = new Set(['resource', 'discovery', 'loads', 'wire']);
    const faults = sources(src)
      .flatMap(imports)
      .filter(({ from, to }) => /\/gen\//.test(to) && !allowed.has(layerOf(src, from)))
      .map(({ from, to }) => `${path.relative(ROOT, from)} imports ${to}`);
    expect(faults).toEqual([]);
  });

  it('only clock.ts touches the real clock and real chance in the SDK', () => {
    const src = path.join(ROOT, 'sdk', 'src');
    // A socket's own setTimeout is an option of it.
    const real = /(?<!socket\.)\b(Date\.now|performance\.now|setTimeout|setInterval|Math\.random)\s*\(/;
    const faults = sources(src)
      .filter((file) => layerOf(src, file) !== 'clock')
      .filter((file) => real.test(readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')))
      .map((file) => path.relative(ROOT, file));
    expect(faults).toEqual([]);
  });

  it('RegExp objects are built from outside text in match/regex.ts alone', () => {
    const src = path.join(ROOT, 'sdk', 'src');
    const faults = sources(src)
      .filter((file) => !file.includes(`${path.sep}match${path.sep}regex`))
      .filter((file) => /new RegExp\(/.test(readFileSync(file, 'utf8')))
      .map((file) => path.relative(ROOT, file));
    expect(faults).toEqual([]);
  });
});
