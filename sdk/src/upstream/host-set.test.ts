import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadAssignment } from '../model/cluster.ts';
import { type HostSet, NO_HOSTS, reconcileHosts } from './host-set.ts';
import { atOnce } from './newest.ts';

const READING = { useHostname: false, nowMs: 0 };

const assignmentOf = (groups: readonly (readonly number[])[]): LoadAssignment => ({
  clusterName: 'c',
  overprovisioningFactor: 140,
  localities: groups.map((ports, index) => ({
    locality: { region: 'r', zone: `z${index}`, subZone: '' },
    priority: 0,
    weight: 1,
    endpoints: ports.map((port) => ({ address: '10.0.0.1', port, health: 'healthy', weight: 1 })),
  })),
});

const reconciled = (previous: HostSet, assignment: LoadAssignment): HostSet =>
  atOnce(reconcileHosts(previous, assignment, READING));

/** Few addresses, so that lists overlap, repeat and reorder. */
const groups = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 14 }), { maxLength: 3 });

describe('reconcileHosts', () => {
  it('whatever is named next: one host an address, in order, the same object where it stays, marked where it goes', () => {
    fc.assert(
      fc.property(groups, groups, (before, after) => {
        const first = reconciled(NO_HOSTS, assignmentOf(before));
        const second = reconciled(first, assignmentOf(after));
        expect(second.all.map((host) => host.port)).toEqual([...new Set(after.flat())]);
        for (const host of first.all) {
          const stays = second.all.find((other) => other.port === host.port);
          expect(host.removed).toBe(stays === undefined);
          if (stays !== undefined) expect(stays).toBe(host);
        }
        expect(second.all.every((host) => !host.removed)).toBe(true);
      }),
    );
  });

  it('an address that goes and comes back is a new host', () => {
    const first = reconciled(NO_HOSTS, assignmentOf([[1, 2]]));
    const second = reconciled(first, assignmentOf([[2]]));
    const third = reconciled(second, assignmentOf([[2, 1]]));
    expect(first.all[0]).not.toBe(third.all[1]);
    expect(first.all[1]).toBe(third.all[0]);
  });
});
