import { expect, it } from 'vitest';
import type { ChangeEvent, Problem } from '../schema/types.ts';
import { memorySource } from './memory.ts';

const service = (name: string, port: number | string = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

it('applies like kubectl: adds and replaces, keeps the last good version, deletes by key', async () => {
  const source = memorySource(service('a'));
  const events: ChangeEvent[] = [];
  let problems: readonly Problem[] = [];
  await source.start({ change: (batch) => events.push(...batch), problems: (list) => (problems = list) });
  expect(events).toMatchObject([{ kind: 'upsert', object: { key: 'Service/default/a' } }]);
  source.apply(service('b'));
  expect(events.at(-1)).toMatchObject({ kind: 'upsert', object: { key: 'Service/default/b' } });
  expect(source.apply(service('b', 'x'))).toMatchObject([{ severity: 'error' }]);
  expect(problems).toHaveLength(1);
  source.apply(service('b', 81));
  expect(problems).toEqual([]);
  source.delete('Service/default/a');
  expect(events.slice(2)).toMatchObject([
    { kind: 'upsert', object: { spec: { ports: [{ port: 81 }] } } },
    { kind: 'delete', key: 'Service/default/a' },
  ]);
});
