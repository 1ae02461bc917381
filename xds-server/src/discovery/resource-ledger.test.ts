import { expect, it } from 'vitest';
import { ResourceLedger } from './resource-ledger.ts';

const NAMES = ['outbound|80||a.default', 'outbound|8080||a.default', 'outbound|80||b.default'];

function sent(...names: string[]) {
  const ledger = new ResourceLedger();
  ledger.send(names, { number: 1, atMs: 10 }, new Set(names));
  return ledger;
}

it('knows nothing of a name before it was in a response', () => {
  expect(sent('a').fate('b')).toEqual({ kind: 'asked' });
});

it('counts a resource as sent until the client answers its response, or a later one', () => {
  const ledger = sent('a');
  expect(ledger.fate('a')).toEqual({ kind: 'sent', atMs: 10 });
  ledger.send(['b'], { number: 2, atMs: 20 }, new Set(['a', 'b']));
  ledger.answer(2, undefined);
  expect([ledger.fate('a'), ledger.fate('b')]).toEqual([
    { kind: 'accepted', atMs: 10 },
    { kind: 'accepted', atMs: 20 },
  ]);
});

it('counts only those as refused that the error names (gRFC A46): the rest of the response was taken', () => {
  const ledger = sent(...NAMES);
  ledger.answer(1, { reason: 'outbound|8080||a.default: no endpoints. outbound|80||b.default.', atMs: 11 });
  expect(NAMES.map((name) => ledger.fate(name).kind)).toEqual(['accepted', 'refused', 'refused']);
});

it('counts the whole response as refused where the error names nothing of it', () => {
  const ledger = sent(...NAMES);
  ledger.answer(1, { reason: 'cannot be read', atMs: 11 });
  expect(NAMES.map((name) => ledger.fate(name).kind)).toEqual(['refused', 'refused', 'refused']);
});

it('forgets a refusal with the next version', () => {
  const ledger = sent('a');
  ledger.answer(1, { reason: 'a: no', atMs: 11 });
  ledger.send(['a'], { number: 2, atMs: 20 }, new Set(['a']));
  expect(ledger.fate('a').kind).toBe('sent');
});

it('does not keep names that come and go', () => {
  const ledger = new ResourceLedger();
  for (let number = 1; number <= 1_000; number++)
    ledger.send([`name-${number}`], { number, atMs: number }, new Set([`name-${number}`]));
  const known = Array.from({ length: 1_000 }, (_, index) => ledger.fate(`name-${index + 1}`));
  expect(known.filter(({ kind }) => kind !== 'asked').length).toBeLessThan(100);
});
