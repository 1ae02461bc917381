import type { FaultPolicy } from './action.ts';

/** The faults of several filters, each after the one before it; of one filter its own. */
export function chainOf(faults: readonly FaultPolicy[]): FaultPolicy | undefined {
  return faults.reduceRight<FaultPolicy | undefined>(
    (next, fault) => (next === undefined ? withoutNext(fault) : { ...fault, next }),
    undefined,
  );
}

const known = new WeakMap<FaultPolicy, { readonly above: FaultPolicy; readonly merged: FaultPolicy }>();

/**
 * What a route says, in the place of what its listener says: a filter's configuration replaces that of the same filter. Where
 * there is only one filter it is that one, whatever it is called. The same object for the same two: faults under way are
 * counted by it.
 */
export function faultOver(above: FaultPolicy | undefined, own: FaultPolicy | undefined): FaultPolicy | undefined {
  if (own === undefined || above?.next === undefined) return own ?? above;
  const before = known.get(own);
  if (before?.above === above) return before.merged;
  const added = faultsIn(own);
  const kept = faultsIn(above).map((fault) => added.find(({ filter }) => filter === fault.filter) ?? fault);
  const merged = chainOf([...kept, ...added.filter((fault) => !kept.includes(fault))]) ?? own;
  const scoped = own.scope === undefined ? merged : { ...merged, scope: own.scope };
  known.set(own, { above, merged: scoped });
  return scoped;
}

/** In the order in which they act. */
export function faultsIn(chain: FaultPolicy): readonly FaultPolicy[] {
  const faults: FaultPolicy[] = [];
  for (let fault: FaultPolicy | undefined = chain; fault !== undefined; fault = fault.next) faults.push(fault);
  return faults;
}

function withoutNext(fault: FaultPolicy): FaultPolicy {
  if (fault.next === undefined) return fault;
  const { next: _, ...alone } = fault;
  return alone;
}
