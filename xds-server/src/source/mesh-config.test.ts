import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatProblem } from '../schema/problem.ts';
import type { ChangeEvent, Problem } from '../schema/types.ts';
import { memorySource } from './memory.ts';
import { parseMeshConfig, withMeshConfig } from './mesh-config.ts';

describe('a MeshConfig file', () => {
  it('has its fields at the top, and its places are its own', () => {
    const { object, problems } = parseMeshConfig('# mesh\nconnectTimeout: 3s\nrootNamespace: admin\n', 'mesh.yaml');
    expect(problems).toEqual([]);
    expect(object).toMatchObject({ spec: { data: { mesh: { connectTimeout: 3_000, rootNamespace: 'admin' } } } });
    expect(object?.origin.line('data.mesh.rootNamespace')).toBe(3);
  });

  it.each([
    ['\n\nconnectTimeout: 3\n', 'mesh.yaml:3: MeshConfig: connectTimeout: got 3 (number)'],
    ['  rootNamespace: x\n  typo: 1', 'mesh.yaml:2: MeshConfig: typo: unknown field'],
    ['a: [', 'mesh.yaml:1: MeshConfig: YAML, line '],
  ])('%j is told with its line', (text, said) => {
    const { object, problems } = parseMeshConfig(text, 'mesh.yaml');
    expect(object).toBeUndefined();
    expect(problems.map(formatProblem).join('\n')).toContain(said);
  });

  it('an empty one says nothing', () => {
    expect(parseMeshConfig('', 'mesh.yaml')).toMatchObject({ object: { spec: { data: { mesh: {} } } }, problems: [] });
  });
});

describe('a source with a MeshConfig file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mesh-config-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('holds it in the place of the ConfigMap, follows edits and keeps the last good one', async () => {
    const file = join(folder, 'mesh.yaml');
    await writeFile(file, 'rootNamespace: one');
    const inner = memorySource(`
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: 'rootNamespace: inner' }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
`);
    const source = withMeshConfig(inner, file);
    const events: ChangeEvent[] = [];
    let problems: readonly Problem[] = [];
    const roots = () =>
      events.flatMap((event) =>
        event.kind === 'upsert' && event.object.kind === 'ConfigMap' ? event.object.spec.data.mesh?.rootNamespace : [],
      );
    await source.start({ change: (list) => events.push(...list), problems: (list) => (problems = list) });
    expect(roots()).toEqual(['one']);
    expect(events).toHaveLength(2);
    await writeFile(file, 'rootNamespace: two');
    await source.refresh?.();
    await writeFile(file, 'rootNamespace: 3');
    await source.refresh?.();
    expect(roots()).toEqual(['one', 'two']);
    expect(problems.map(({ message }) => message)).toEqual([
      'got 3 (number), want a DNS label (up to 63 of a–z, 0–9, "-"): write "3"',
    ]);
    await rm(file);
    await source.refresh?.();
    expect(problems[0]?.message).toContain('cannot be read, the last good version stays');
    source.close();
  });

  it('a file that is not there refuses the start', async () => {
    const source = withMeshConfig(memorySource(), join(folder, 'none.yaml'));
    await expect(source.start({ change: () => {}, problems: () => {} })).rejects.toThrow('ENOENT');
    source.close();
  });
});
