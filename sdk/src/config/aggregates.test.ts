import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { ClusterConfigSchema, ClusterSchema } from '../../gen/cluster.js';
import { defaultOf } from '../defaults.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { cluster, decoded, endpoints, listener, routes, setUp, TARGET } from './targets.fixture.ts';

const aggregate = (name: string, ...clusters: string[]) =>
  decoded(clusterType, {
    value: toBinary(
      ClusterSchema,
      create(ClusterSchema, {
        name,
        clusterDiscoveryType: {
          case: 'clusterType',
          value: {
            name: 'envoy.clusters.aggregate',
            typedConfig: anyPack(ClusterConfigSchema, create(ClusterConfigSchema, { clusters })),
          },
        },
      }),
    ),
  });

function open() {
  const world = setUp();
  const { board, targets } = world;
  board.post(listenerType, TARGET, listener());
  board.post(routeConfigurationType, 'r', routes('all'));
  targets.lookup(TARGET);
  const plain = (...names: string[]): void => {
    for (const name of names) {
      board.post(clusterType, name, cluster(name));
      board.post(loadAssignmentType, name, endpoints(name, 1));
    }
  };
  const all = () => {
    const state = targets.lookup(TARGET);
    return state.kind === 'ready' ? state.config.clusters.get('all') : undefined;
  };
  /** Names; those that cannot be used with the reason. */
  const members = (): unknown => {
    const state = all();
    if (state?.kind !== 'ready') return state;
    return state.config.members?.map((member) =>
      member.state.kind === 'ready' ? member.name : `${member.name}: ${member.state.reason}`,
    );
  };
  return { ...world, plain, all, members };
}

describe('an aggregate cluster', () => {
  it('is ready when all it names have come, and then those that are none themselves, in order', async () => {
    const { board, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'inner', 'c'));
    board.post(clusterType, 'inner', aggregate('inner', 'b', 'a'));
    plain('a', 'b');
    await settle();
    expect(members()).toBeUndefined();
    plain('c');
    await settle();
    expect(members()).toEqual(['b', 'a', 'c']);
  });

  it('counts a cluster that comes twice once, where it comes first', async () => {
    const { board, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'a', 'inner', 'inner', 'a', 'b'));
    board.post(clusterType, 'inner', aggregate('inner', 'a', 'c'));
    plain('a', 'b', 'c');
    await settle();
    expect(members()).toEqual(['a', 'c', 'b']);
  });

  it('passes over what is not there or bad, and says why', async () => {
    const { board, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'nobody', 'bad', 'a'));
    board.post(clusterType, 'nobody', { absent: 'it does not exist' });
    board.post(clusterType, 'bad', { bad: 'name: empty' });
    plain('a');
    await settle();
    expect(members()).toEqual(['nobody: it does not exist', 'bad: name: empty', 'a']);
  });

  it('waits for a silent one so long, and takes it when it comes after all', async () => {
    const { board, clock, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'silent', 'a'));
    plain('a');
    await settle();
    expect(members()).toBeUndefined();
    await clock.pass(defaultOf('warmTimeoutMs') - 1);
    await settle();
    await clock.pass(0);
    await settle();
    expect(members()).toEqual([expect.stringMatching(/^silent: nothing came about it within/), 'a']);
    plain('silent');
    await settle();
    expect(members()).toEqual(['silent', 'a']);
  });

  it('leaves out a way back to itself; where nothing else is left it fails', async () => {
    const { board, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'inner'));
    board.post(clusterType, 'inner', aggregate('inner', 'all'));
    await settle();
    expect(members()).toEqual({
      kind: 'failed',
      reason: 'none of the clusters of all can be used: all: it is part of itself (all > inner > all)',
    });
    plain('a');
    board.post(clusterType, 'inner', aggregate('inner', 'all', 'a'));
    await settle();
    expect(members()).toEqual(['all: it is part of itself (all > inner > all)', 'a']);
  });

  it('may have 16 levels, no more', async () => {
    const { board, plain, members, targets } = open();
    const levels = (count: number): void => {
      const names = ['all', ...Array.from({ length: count - 2 }, (_, at) => `level-${at}`), 'a'];
      for (const [at, name] of names.slice(0, -1).entries())
        board.post(clusterType, name, aggregate(name, names[at + 1] ?? ''));
    };
    levels(16);
    plain('a');
    await settle();
    expect(members()).toEqual(['a']);
    levels(17);
    await settle();
    expect(members()).toEqual({ kind: 'failed', reason: 'all is made of more than 16 levels of clusters' });
    targets.close();
  });

  it('goes over to others when they have come, and lets go what it no longer names, and in the end all', async () => {
    const { board, plain, members, targets } = open();
    board.post(clusterType, 'all', aggregate('all', 'a', 'b'));
    plain('a', 'b');
    await settle();
    board.post(clusterType, 'all', aggregate('all', 'c', 'b'));
    await settle();
    expect(members()).toEqual(['a', 'b']);
    plain('c');
    await settle();
    expect(members()).toEqual(['c', 'b']);
    expect(board.watched()).not.toContain('Cluster a');
    expect(board.watched()).toContain('Cluster b');
    targets.close();
    expect(board.watched()).toEqual([]);
  });

  it('lets go of aggregates that name each other', async () => {
    const { board, targets } = open();
    board.post(routeConfigurationType, 'r', routes('all', 'inner'));
    board.post(clusterType, 'all', aggregate('all', 'inner', 'a'));
    board.post(clusterType, 'inner', aggregate('inner', 'all', 'a'));
    await settle();
    targets.close();
    expect(board.watched()).toEqual([]);
  });

  it('is the same state until something about it changes', async () => {
    const { board, plain, all } = open();
    board.post(clusterType, 'all', aggregate('all', 'nobody', 'a'));
    board.post(clusterType, 'nobody', { absent: 'gone' });
    plain('a');
    await settle();
    const before = all();
    board.post(clusterType, 'nobody', { absent: 'gone' });
    await settle();
    expect(all()).toBe(before);
    board.post(loadAssignmentType, 'a', endpoints('a', 2));
    await settle();
    expect(all()).not.toBe(before);
  });

  it('becomes a cluster of its own, and back', async () => {
    const { board, plain, members } = open();
    board.post(clusterType, 'all', aggregate('all', 'a'));
    plain('a');
    await settle();
    plain('all');
    await settle();
    expect(members()).toBeUndefined();
    expect(board.watched()).not.toContain('Cluster a');
    board.post(clusterType, 'all', aggregate('all', 'a'));
    plain('a');
    await settle();
    expect(members()).toEqual(['a']);
  });
});
