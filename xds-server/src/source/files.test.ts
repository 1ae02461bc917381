import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnyObject, ChangeEvent, Problem } from '../schema/types.ts';
import { type FilesOptions, watchFiles } from './files.ts';

let folder = '';
const closers: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-files-'));
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
  rmSync(folder, { recursive: true, force: true });
});

const service = (name: string, port: number | string = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

const write = (name: string, text: string): void => {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
};

/** What an observer knows after all it was told. */
const watched = async (options: FilesOptions = {}) => {
  const source = watchFiles(folder, options);
  closers.push(() => source.close());
  const objects = new Map<string, AnyObject>();
  const batches: (readonly ChangeEvent[])[] = [];
  let problems: readonly Problem[] = [];
  await source.start({
    change(events) {
      batches.push(events);
      for (const event of events) {
        if (event.kind === 'delete') objects.delete(event.key);
        else objects.set(event.object.key, event.object);
      }
    },
    problems(list) {
      problems = list;
    },
  });
  const port = (name: string): number | undefined => {
    const object = objects.get(`Service/default/${name}`);
    return object?.kind === 'Service' ? object.spec.ports[0]?.port : undefined;
  };
  return { source, objects, batches, port, problems: () => problems };
};

const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe.each([
  ['file events', {}],
  ['sweeps alone', { watch: false, sweepMs: 10 }],
])('watchFiles by %s', (_name, options) => {
  it('reads every YAML and JSON file at any depth, nothing hidden, nothing else', async () => {
    write('a.yaml', service('a'));
    write('deep/er/b.yml', service('b'));
    write('c.json', JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }));
    write('package.json', '{"name": "not-ours"}');
    write('notes.txt', service('no'));
    write('.hidden/d.yaml', service('no'));
    write('node_modules/x/e.yaml', service('no'));
    const { objects, problems, batches } = await watched(options);
    expect([...objects.keys()].sort()).toEqual(['Namespace//shop', 'Service/default/a', 'Service/default/b']);
    expect(problems()).toEqual([]);
    expect(batches).toHaveLength(1);
  });

  it('follows edits, new folders, renames over a file and deletions', async () => {
    write('a.yaml', service('a'));
    const { port, objects } = await watched(options);
    write('a.yaml', service('a', 81));
    await until(() => port('a') === 81);
    write('new/b.yaml', service('b'));
    await until(() => port('b') === 80);
    write('new/b.tmp', service('b', 82));
    renameSync(path.join(folder, 'new/b.tmp'), path.join(folder, 'new/b.yaml'));
    await until(() => port('b') === 82);
    renameSync(path.join(folder, 'new'), path.join(folder, 'moved'));
    await until(() => objects.get('Service/default/b')?.origin.file.includes('moved') ?? false);
    rmSync(path.join(folder, 'a.yaml'));
    await until(() => !objects.has('Service/default/a'));
    expect([...objects.keys()]).toEqual(['Service/default/b']);
  });

  it('never shows a half-written file: objects that a truncated text lacks stay until it is whole again', async () => {
    const whole = `${service('a')}---\n${service('b')}`;
    write('mesh.yaml', whole);
    const { port, batches } = await watched(options);
    write('mesh.yaml', '');
    write('mesh.yaml', whole.slice(0, 60));
    await new Promise((resolve) => setTimeout(resolve, 60));
    write('mesh.yaml', whole.replaceAll('80', '81'));
    await until(() => port('b') === 81);
    expect(batches.flat().filter(({ kind }) => kind === 'delete')).toEqual([]);
  });

  it('reports a broken document with its line, applies the others, and forgets the problem when it is mended', async () => {
    write('mesh.yaml', `${service('a')}---\n${service('b')}`);
    const { port, problems } = await watched(options);
    write('mesh.yaml', `${service('a', 'eighty')}---\n${service('b', 81)}`);
    await until(() => port('b') === 81);
    expect(port('a')).toBe(80);
    await until(() => problems().length > 0);
    expect(problems()[0]).toMatchObject({ file: path.join(folder, 'mesh.yaml'), line: 4, object: 'Service default/a' });
    write('mesh.yaml', `${service('a', 82)}---\n${service('b', 81)}`);
    await until(() => port('a') === 82 && problems().length === 0);
  });

  it('looks again when asked: what was written before is reported, a file in doubt included', async () => {
    write('mesh.yaml', `${service('a')}---\n${service('b')}`);
    const { source, objects, port } = await watched(options);
    write('mesh.yaml', service('a', 81));
    await source.refresh?.();
    expect(port('a')).toBe(81);
    expect(objects.has('Service/default/b')).toBe(false);
  });

  it('follows the switch of a link, as Kubernetes mounts a ConfigMap', async () => {
    write('..2026_1/mesh.yaml', service('a', 1));
    write('..2026_2/mesh.yaml', service('a', 2));
    symlinkSync('..2026_1', path.join(folder, '..data'), 'dir');
    symlinkSync(path.join('..data', 'mesh.yaml'), path.join(folder, 'mesh.yaml'), 'file');
    const { port } = await watched(options);
    expect(port('a')).toBe(1);
    symlinkSync('..2026_2', path.join(folder, '..data_tmp'), 'dir');
    renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
    await until(() => port('a') === 2);
  });

  it('survives a link to a folder above', async () => {
    write('sub/a.yaml', service('a'));
    symlinkSync('..', path.join(folder, 'sub', 'up'), 'dir');
    const { objects } = await watched(options);
    expect(objects.size).toBe(1);
  });
});

describe('watchFiles', () => {
  it('rejects where there is no such folder', async () => {
    await expect(watchFiles(path.join(folder, 'no')).start({ change() {}, problems() {} })).rejects.toThrow('ENOENT');
  });

  it('keeps everything when the folder itself goes away, and says so', async () => {
    write('a.yaml', service('a'));
    const { objects, problems } = await watched({ watch: false, sweepMs: 10 });
    renameSync(folder, `${folder}-away`);
    await until(() => problems().length > 0);
    expect(objects.size).toBe(1);
    expect(problems()[0]?.message).toContain('what was in it stays in use');
    renameSync(`${folder}-away`, folder);
    await until(() => problems().length === 0);
  });

  it('says nothing after close', async () => {
    write('a.yaml', service('a'));
    const { source, batches } = await watched({ watch: false, sweepMs: 5 });
    source.close();
    write('a.yaml', service('a', 81));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(batches).toHaveLength(1);
  });

  it('misses none of many edits in a row', async () => {
    write('a.yaml', service('a'));
    const { port } = await watched();
    for (let edit = 1; edit <= 200; edit += 1) {
      write('a.yaml', service('a', edit));
      if (edit % 10 === 0) await until(() => port('a') === edit);
    }
    expect(readFileSync(path.join(folder, 'a.yaml'), 'utf8')).toContain('200');
  });
});
