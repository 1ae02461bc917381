import { describe, expect, it } from 'vitest';
import { parseText } from '../schema/parse.ts';
import { Collection } from './collection.ts';

const service = (name: string, port: number | string = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

const given = (collection: Collection): string[] =>
  collection.changes().map((event) => (event.kind === 'delete' ? `- ${event.key}` : `+ ${event.object.key}`));

const put = (collection: Collection, file: string, text: string): void => collection.set(file, parseText(text, file));

describe('Collection', () => {
  it('gives what is new, what differs and what is gone, once', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', `${service('x')}---\n${service('y')}`);
    expect(given(collection)).toEqual(['+ Service/default/x', '+ Service/default/y']);
    expect(given(collection)).toEqual([]);
    put(collection, 'a.yaml', `${service('x')}---\n${service('z')}`);
    expect(given(collection)).toEqual(['- Service/default/y', '+ Service/default/z']);
    collection.remove('a.yaml');
    expect(given(collection)).toEqual(['- Service/default/x', '- Service/default/z']);
  });

  it('gives an object whose position moved again, with the same contentHash', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', service('x'));
    const [before] = collection.changes();
    put(collection, 'a.yaml', `# why\n${service('x')}`);
    const [after] = collection.changes();
    if (before?.kind !== 'upsert' || after?.kind !== 'upsert') throw new Error('an upsert was expected');
    expect(after.object.contentHash).toBe(before.object.contentHash);
    expect([before, after].map((event) => event.object.origin.line('spec'))).toEqual([4, 5]);
  });

  it('keeps the last good version of a broken document alone, and says so', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', `${service('x')}---\n${service('y')}`);
    given(collection);
    put(collection, 'a.yaml', `${service('x', 'eighty')}---\n${service('y', 81)}`);
    expect(given(collection)).toEqual(['+ Service/default/y']);
    expect(collection.problems()).toMatchObject([
      { severity: 'error', line: 4, object: 'Service default/x', fieldPath: 'spec.ports[0].port' },
      { severity: 'info', line: 4, object: 'Service default/x', message: 'its last good version stays in use' },
    ]);
  });

  it.each([
    ['unknown field', (text: string) => text.replace('spec:', 'spec:\n  typo: 1')],
    ['wrong value', (text: string) => text.replace(/port: \d+/, 'port: eighty')],
    ['broken syntax', (text: string) => `${text}  "unclosed\n`],
  ])('goes from good through an edit with %s to good, and begins anew after a deletion', (_, spoil) => {
    const collection = new Collection();
    put(collection, 'a.yaml', service('x', 80));
    expect(given(collection)).toEqual(['+ Service/default/x']);
    put(collection, 'a.yaml', spoil(service('x', 81)));
    expect(given(collection)).toEqual([]);
    expect(collection.problems()).toContainEqual(expect.objectContaining({ severity: 'error', file: 'a.yaml' }));
    put(collection, 'a.yaml', service('x', 82));
    expect(given(collection)).toEqual(['+ Service/default/x']);
    expect(collection.problems()).toEqual([]);
    collection.remove('a.yaml');
    expect(given(collection)).toEqual(['- Service/default/x']);
    put(collection, 'a.yaml', spoil(service('x', 83)));
    expect(given(collection)).toEqual([]);
    put(collection, 'a.yaml', service('x', 84));
    expect(given(collection)).toEqual(['+ Service/default/x']);
  });

  it('a file under a new name gives its objects again, none goes meanwhile', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', service('x'));
    given(collection);
    put(collection, 'b.yaml', service('x'));
    collection.remove('a.yaml');
    expect(given(collection)).toEqual(['+ Service/default/x']);
    expect(collection.problems()).toEqual([]);
  });

  it('keeps the object of a document that no longer says which one it is', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', `${service('x')}---\n${service('y')}`);
    given(collection);
    put(collection, 'a.yaml', `${service('x')}---\n${service('y').replace('v1', 'v7')}`);
    expect(given(collection)).toEqual([]);
    put(collection, 'a.yaml', `${service('x')}---\n${service('null')}`);
    expect(given(collection)).toEqual([]);
  });

  it('keeps everything that is not written elsewhere in a file with an unreadable document', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', `${service('x')}---\n${service('y')}`);
    given(collection);
    put(collection, 'a.yaml', `{{ nobody can read this\n---\n${service('y', 81)}`);
    expect(given(collection)).toEqual(['+ Service/default/y']);
  });

  it('uses the first of two files with one object, names both, and takes over when the first lets go', () => {
    const collection = new Collection();
    put(collection, 'b.yaml', service('x', 1));
    put(collection, 'a.yaml', service('x', 2));
    expect(collection.changes()).toMatchObject([{ object: { spec: { ports: [{ port: 1 }] } } }]);
    expect(collection.problems()).toMatchObject([
      {
        severity: 'error',
        file: 'a.yaml',
        line: 3,
        message: 'is written in b.yaml:3 too, which is used; want it once',
      },
    ]);
    collection.remove('b.yaml');
    expect(collection.changes()).toMatchObject([{ object: { spec: { ports: [{ port: 2 }] } } }]);
    expect(collection.problems()).toEqual([]);
  });

  it('uses the first of two in one file', () => {
    const collection = new Collection();
    put(collection, 'a.yaml', `${service('x', 1)}---\n${service('x', 2)}`);
    expect(collection.changes()).toMatchObject([{ object: { spec: { ports: [{ port: 1 }] } } }]);
    expect(collection.problems()).toMatchObject([{ file: 'a.yaml', line: 8 }]);
  });
});
