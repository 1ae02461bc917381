import { describe, expect, it } from 'vitest';
import * as xds from '../../../test/harness/xds-resources.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { cluster, decoded, endpoints, inUse, postAll, setUp, TARGET } from './targets.fixture.ts';

const settled = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

const withChain = (...clusters: string[]) => decoded(listenerType, xds.listenerWithChain(TARGET, 'r', ...clusters));

describe('targets, for connections by filter chains', () => {
  it('an application that only speaks HTTP never asks for their clusters', async () => {
    const { board, targets } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(listenerType, TARGET, withChain('raw'));
    await settled();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    expect(board.watched().includes('Cluster raw')).toBe(false);
  });

  it('the first connection asks for them and waits; HTTP calls do not', async () => {
    const { board, targets } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(listenerType, TARGET, withChain('raw'));
    await settled();
    const state = targets.lookupConnection(TARGET);
    expect(state.kind).toBe('pending');
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    await settled();
    board.post(clusterType, 'raw', cluster('raw'));
    board.post(loadAssignmentType, 'raw', endpoints('raw', 7));
    await settled();
    expect(state.kind === 'pending' && inUse(await state.settled)).toBe('a=1 raw=7');
    expect(inUse(targets.lookupConnection(TARGET))).toBe('a=1 raw=7');
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 raw=7');
  });

  it('a chain to a cluster that the routes name too waits for nothing', async () => {
    const { board, targets } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(listenerType, TARGET, withChain('a'));
    await settled();
    expect(inUse(targets.lookupConnection(TARGET))).toBe('a=1');
  });

  it.each(['goes away', 'is closed'])('settles when the target %s', async (how) => {
    const { board, targets } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(listenerType, TARGET, withChain('raw'));
    await settled();
    const state = targets.lookupConnection(TARGET);
    if (how === 'is closed') targets.close();
    else board.post(listenerType, TARGET, { absent: 'deleted' });
    expect(state.kind === 'pending' && (await state.settled).kind).toBe('absent');
  });

  it('clusters of chains that are gone are let go', async () => {
    const { board, targets } = setUp();
    targets.lookupConnection(TARGET);
    postAll(board, 'a');
    board.post(listenerType, TARGET, withChain('raw'));
    await settled();
    board.post(clusterType, 'raw', cluster('raw'));
    board.post(loadAssignmentType, 'raw', endpoints('raw', 7));
    await settled();
    expect(board.watched().includes('Cluster raw')).toBe(true);
    board.post(listenerType, TARGET, withChain('a'));
    await settled();
    expect(board.watched().includes('Cluster raw')).toBe(false);
  });
});
