import { expect, it } from 'vitest';
import { registrationEvent } from '../registry/registration.ts';
import { parseText } from '../schema/parse.ts';
import type { ChangeEvent } from '../schema/types.ts';
import { createRevision, isRevisionBehind } from './revision.ts';

const service = (name: string, port: number): ChangeEvent => {
  const text = `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;
  const [object] = parseText(text, 'a.yaml').objects;
  if (object === undefined) throw new Error('no object');
  return { kind: 'upsert', object };
};

/** As a snapshot tells it. */
function revisionOf(...events: readonly (readonly [ChangeEvent, number])[]): string {
  const revision = createRevision();
  for (const [event, atMs] of events) revision.apply(event, atMs);
  return `1-${revision.text()}`;
}

it('is behind what has other content of a later time, and never what is older or the same', () => {
  const old = revisionOf([service('a', 80), 1_000]);
  const newer = revisionOf([service('a', 80), 1_000], [service('a', 81), 2_000]);
  const same = revisionOf([service('a', 81), 5_000]);
  expect(isRevisionBehind(old, newer)).toBe(true);
  expect(isRevisionBehind(newer, old)).toBe(false);
  expect(isRevisionBehind(newer, same)).toBe(false);
});

it('leaves out processes that registered here: another replica cannot know them', () => {
  const registered = registrationEvent({ uid: 'u', service: 'a', namespace: 'default', port: 1, address: '10.0.0.1' });
  expect(revisionOf([service('a', 80), 1_000], [registered, 2_000])).toBe(revisionOf([service('a', 80), 1_000]));
});

it('counts what says the same again for nothing', () => {
  expect(revisionOf([service('a', 80), 1_000], [service('a', 80), 2_000])).toBe(revisionOf([service('a', 80), 1_000]));
});

it.each(['', 'x', '1-2', '7-mywpiww0-zzzz', '9'.repeat(1_000)])(
  'takes no word of anyone else for a revision (%s)',
  (seen) => {
    expect(isRevisionBehind(revisionOf([service('a', 80), 1]), seen)).toBe(false);
  },
);
