import { expect, it } from 'vitest';
import type { FaultPolicy } from './action.ts';
import { chainOf, faultOver, faultsIn } from './fault-chain.ts';

const fault = (filter: string, maxActive: number): FaultPolicy => ({ filter, maxActive });
const chain = (...faults: FaultPolicy[]): FaultPolicy => chainOf(faults) ?? {};
const told = (policy: FaultPolicy | undefined) =>
  policy && faultsIn(policy).map(({ filter, maxActive }) => `${filter} ${maxActive}`);

it('faults of several filters act in the order of the filters', () => {
  expect(chainOf([])).toBeUndefined();
  expect(told(chain(fault('a', 1), fault('b', 2), fault('c', 3)))).toEqual(['a 1', 'b 2', 'c 3']);
});

it('a route replaces what its listener says of the same filter, and leaves the others', () => {
  const above = chain(fault('a', 1), fault('b', 2));
  expect(told(faultOver(above, fault('b', 3)))).toEqual(['a 1', 'b 3']);
  expect(told(faultOver(above, chain(fault('b', 3), fault('a', 4))))).toEqual(['a 4', 'b 3']);
  expect(told(faultOver(above, { filter: 'a' }))).toEqual(['a undefined', 'b 2']);
  expect(faultOver(above, undefined)).toBe(above);
});

it('one that is named after no filter acts after them', () => {
  expect(told(faultOver(chain(fault('a', 1), fault('b', 2)), fault('c', 3)))).toEqual(['a 1', 'b 2', 'c 3']);
});

it('the only fault of a listener is replaced whatever it is called', () => {
  expect(told(faultOver(fault('a', 1), fault('b', 2)))).toEqual(['b 2']);
});

it('the same two are the same object: faults under way are counted by it', () => {
  const above = chain(fault('a', 1), fault('b', 2));
  const own = fault('a', 3);
  expect(faultOver(above, own)).toBe(faultOver(above, own));
});

it('what is drawn for each attempt stays so', () => {
  expect(faultOver(chain(fault('a', 1), fault('b', 2)), { ...fault('b', 3), scope: 'attempt' })?.scope).toBe('attempt');
});
