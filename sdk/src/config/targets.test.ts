import { describe, expect, it } from 'vitest';
import { settle } from '../../../test/harness/fake-clock.ts';
import { defaultOf } from '../defaults.ts';
import type { TargetConfig } from '../model/target.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { cluster, endpoints, inUse, listener, postAll, routes, setUp, TARGET, textOf } from './targets.fixture.ts';

describe('a target', () => {
  it('asks step by step, is pending until all has come, then ready', async () => {
    const { targets, board } = setUp();
    const pending = targets.lookup(TARGET);
    expect(pending.kind).toBe('pending');
    expect(board.watched()).toEqual([`Listener ${TARGET}`]);
    board.post(listenerType, TARGET, listener());
    await settle();
    expect(board.watched()).toContain('RouteConfiguration r');
    board.post(routeConfigurationType, 'r', routes('a', 'b'));
    await settle();
    board.post(clusterType, 'a', cluster('a'));
    board.post(loadAssignmentType, 'a', endpoints('a', 1));
    await settle();
    expect(targets.lookup(TARGET).kind).toBe('pending');
    board.post(clusterType, 'b', cluster('b'));
    board.post(loadAssignmentType, 'b', endpoints('b', 2, 3));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 b=2+3');
    if (pending.kind === 'pending') expect(await pending.settled).toBe(targets.lookup(TARGET));
  });

  it('goes on with the last good configuration until the next one is whole, then lets the old clusters go', async () => {
    const { targets, board, retired } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.post(routeConfigurationType, 'r', routes('b'));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    expect(board.watched()).toContain('Cluster a');
    board.post(clusterType, 'b', cluster('b'));
    board.post(loadAssignmentType, 'b', endpoints('b', 2));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('b=2');
    expect(retired).toEqual(['a=1']);
    expect(board.watched()).not.toContain('Cluster a');
  });

  it('survives a bad or withdrawn route configuration, endpoints withdrawn, and a bad listener', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.post(routeConfigurationType, 'r', { bad: 'mistake' });
    board.post(loadAssignmentType, 'a', { absent: 'gone' });
    board.post(listenerType, TARGET, { bad: 'mistake' });
    await settle();
    board.post(routeConfigurationType, 'r', { absent: 'gone' });
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
  });

  it('fails one cluster, not the others: a cluster that is bad, or that does not exist', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(routeConfigurationType, 'r', routes('a', 'bad', 'gone'));
    await settle();
    board.post(clusterType, 'bad', { bad: 'mistake' });
    board.post(clusterType, 'gone', { absent: 'not there' });
    await settle();
    const state = targets.lookup(TARGET);
    expect(inUse(state)).toBe('a=1 bad=failed gone=failed');
    expect(state.kind === 'ready' && state.config.clusters.get('gone')).toEqual({
      kind: 'failed',
      reason: 'not there',
    });
  });

  it('a cluster whose endpoints do not exist is there, and empty', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    board.post(loadAssignmentType, 'a', { absent: 'none' });
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=none');
  });

  it('a cluster in use that is taken back goes a moment later: the routes without it may be on their way', async () => {
    const { targets, board, clock } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a', 'b');
    await settle();
    board.post(clusterType, 'a', { absent: 'gone' });
    await clock.pass(defaultOf('clusterGraceMs') - 1);
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 b=1');
    board.post(routeConfigurationType, 'r', routes('b'));
    await clock.pass(5_000);
    expect(inUse(targets.lookup(TARGET))).toBe('b=1');
    board.post(clusterType, 'b', { absent: 'gone' });
    await clock.pass(defaultOf('clusterGraceMs'));
    expect(inUse(targets.lookup(TARGET))).toBe('b=failed');
  });

  it('does not believe "no endpoints at all" of a control plane that was just reconnected to, for a while', async () => {
    const { targets, board, clock } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a', 'b');
    await settle();
    board.settlesInMs = 5_000;
    board.post(loadAssignmentType, 'a', endpoints('a'));
    board.post(loadAssignmentType, 'b', endpoints('b'));
    await settle();
    board.settlesInMs = 1;
    await clock.pass(4_000);
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 b=1');
    board.post(loadAssignmentType, 'a', endpoints('a', 7));
    await clock.pass(1_000);
    expect(inUse(targets.lookup(TARGET))).toBe('a=7 b=');
    board.settlesInMs = 0;
    board.post(loadAssignmentType, 'a', endpoints('a'));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a= b=');
  });

  it('nor does it move to a new cluster that is empty then', async () => {
    const { targets, board, clock } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.settlesInMs = 5_000;
    board.post(routeConfigurationType, 'r', routes('b'));
    board.post(clusterType, 'b', cluster('b'));
    board.post(loadAssignmentType, 'b', endpoints('b'));
    await clock.pass(1_000);
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    board.post(loadAssignmentType, 'b', endpoints('b', 2));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('b=2');
  });

  it('does not give up what works for routes whose cluster is already gone again: the next ones may be on their way', async () => {
    const { targets, board, clock } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.post(clusterType, 'b', { absent: 'gone again' });
    board.post(routeConfigurationType, 'r', routes('b'));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    await clock.pass(defaultOf('clusterGraceMs'));
    expect(inUse(targets.lookup(TARGET))).toBe('b=failed');
  });

  it('waits for a silent cluster at most so long, and takes it when it comes', async () => {
    const { targets, board, clock } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.post(routeConfigurationType, 'r', routes('a', 'late'));
    await clock.pass(defaultOf('warmTimeoutMs') - 1);
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    await clock.pass(1);
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 late=failed');
    board.post(clusterType, 'late', cluster('late'));
    board.post(loadAssignmentType, 'late', endpoints('late', 9));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1 late=9');
  });

  it('is absent when the listener is, also when it goes away later, and comes back', async () => {
    const { targets, board, retired, events } = setUp();
    targets.lookup(TARGET);
    board.post(listenerType, TARGET, { absent: 'unknown' });
    await settle();
    expect(targets.lookup(TARGET)).toEqual({ kind: 'absent', reason: 'unknown' });
    postAll(board, 'a');
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    board.post(listenerType, TARGET, { absent: 'deleted' });
    await settle();
    expect(targets.lookup(TARGET)).toEqual({ kind: 'absent', reason: 'deleted' });
    expect(retired).toEqual(['a=1']);
    expect(board.watched()).toEqual([`Listener ${TARGET}`]);
    board.post(listenerType, TARGET, listener());
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
    expect(events.filter(({ kind }) => kind === 'config-missing')).toHaveLength(2);
  });

  it('stops waiting for a control plane that says nothing about the name; its answer still counts', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    board.post(listenerType, TARGET, { silent: 'nothing for 1 s' });
    await settle();
    expect(targets.lookup(TARGET)).toEqual({ kind: 'absent', reason: 'nothing for 1 s' });
    postAll(board, 'a');
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
  });

  it('fails when nothing usable ever came: a bad listener, no route configuration', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    board.post(listenerType, TARGET, { bad: 'mistake' });
    await settle();
    expect(targets.lookup(TARGET)).toEqual({ kind: 'failed', reason: 'mistake' });
    board.post(listenerType, TARGET, listener());
    board.post(routeConfigurationType, 'r', { absent: 'no routes' });
    await settle();
    expect(targets.lookup(TARGET)).toEqual({ kind: 'failed', reason: 'no routes' });
  });

  it('prepares one configuration at a time and ends with the newest', async () => {
    const prepared: string[] = [];
    const waiting: (() => void)[] = [];
    const { targets, board, retired } = setUp({
      prepare: (config, previous) =>
        new Promise((resolve) => {
          prepared.push(`${textOf(config)} after ${previous}`);
          waiting.push(() => resolve(textOf(config)));
        }),
    });
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    for (const port of [2, 3, 4]) {
      board.post(loadAssignmentType, 'a', endpoints('a', port));
      await settle();
    }
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      next();
      await settle();
    }
    expect(prepared).toEqual(['a=1 after undefined', 'a=4 after a=1']);
    expect(inUse(targets.lookup(TARGET))).toBe('a=4');
    expect(retired).toEqual(['a=1']);
  });

  it('retires what was being prepared when the name went away meanwhile', async () => {
    const waiting: (() => void)[] = [];
    const { targets, board, retired } = setUp({
      prepare: (config) => new Promise((resolve) => waiting.push(() => resolve(textOf(config)))),
    });
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    board.post(listenerType, TARGET, { absent: 'deleted' });
    waiting.shift()?.();
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('absent');
    expect(retired).toEqual(['a=1']);
  });

  it('keeps what it has when preparing fails, and fails only when it has nothing', async () => {
    let fails = true;
    const { targets, board } = setUp({
      prepare: async (config) => {
        if (fails) throw new Error('no memory');
        return textOf(config);
      },
    });
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    expect(targets.lookup(TARGET)).toMatchObject({ kind: 'failed', reason: expect.stringContaining('no memory') });
    fails = false;
    board.post(loadAssignmentType, 'a', endpoints('a', 2));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=2');
    fails = true;
    board.post(loadAssignmentType, 'a', endpoints('a', 3));
    await settle();
    expect(inUse(targets.lookup(TARGET))).toBe('a=2');
  });

  it('gives unchanged parts on as the same objects: an endpoint change leaves the routes alone', async () => {
    const configs: TargetConfig[] = [];
    const { targets, board } = setUp({
      prepare: async (config) => {
        configs.push(config);
        return '';
      },
    });
    targets.lookup(TARGET);
    postAll(board, 'a', 'b');
    await settle();
    board.post(loadAssignmentType, 'b', endpoints('b', 5));
    await settle();
    const [before, after] = configs;
    expect(after?.routeConfiguration).toBe(before?.routeConfiguration);
    expect(after?.clusters.get('a')).toBe(before?.clusters.get('a'));
    expect(after?.clusters.get('b')).not.toBe(before?.clusters.get('b'));
  });
});

describe('many targets', () => {
  it('share clusters: one subscription, kept until the last one lets go', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    targets.lookup('alias:9080');
    board.post(listenerType, 'alias:9080', listener('r', 'alias:9080'));
    postAll(board, 'a');
    await settle();
    expect(inUse(targets.lookup('alias:9080'))).toBe('a=1');
    board.post(listenerType, 'alias:9080', { absent: 'gone' });
    await settle();
    expect(board.watched()).toContain('Cluster a');
    board.post(listenerType, TARGET, { absent: 'gone' });
    await settle();
    expect(board.watched().filter((name) => !name.startsWith('Listener'))).toEqual([]);
  });

  it('forgets a target 10 minutes after its last call, not before', async () => {
    const { targets, board, clock, retired, events } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await clock.pass(defaultOf('idleTargetMs'));
    expect(board.watched()).toContain(`Listener ${TARGET}`);
    targets.lookup(TARGET);
    await clock.pass(defaultOf('idleTargetMs'));
    expect(board.watched()).toContain(`Listener ${TARGET}`);
    await clock.pass(defaultOf('idleTargetMs') / 4);
    expect(board.watched()).toEqual([]);
    expect(retired).toEqual(['a=1']);
    expect(clock.pending()).toEqual([]);
    expect(events.some(({ kind }) => kind === 'config-missing')).toBe(false);
    expect(targets.lookup(TARGET).kind).toBe('pending');
  });

  it('remembers 1,024 names that do not exist; the longest unused goes first, known targets never', async () => {
    const { targets, board } = setUp();
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    const limit = defaultOf('negativeAnswers');
    const ask = async (name: string) => {
      board.post(listenerType, name, { absent: 'unknown' });
      targets.lookup(name);
      await settle();
    };
    for (let index = 0; index < limit; index += 1) await ask(`n${index}:80`);
    expect([...targets.list()]).toHaveLength(limit + 1);
    await ask('one-more:80');
    expect([...targets.list()]).toHaveLength(limit + 1);
    for (let index = 1; index < limit; index += 1) targets.lookup(`n${index}:80`);
    await ask('and-another:80');
    expect(board.watched()).not.toContain('Listener one-more:80');
    expect(inUse(targets.lookup(TARGET))).toBe('a=1');
  });

  it.each(['127.0.0.1:80', '127.9.9.9:1', '169.254.169.254:80', '[::1]:443', '[fe80::1%25eth0]:80'])(
    '%s is never asked for',
    (name) => {
      const { targets, board } = setUp();
      expect(targets.lookup(name).kind).toBe('absent');
      expect(board.watched()).toEqual([]);
    },
  );

  it('holds the process while someone waits, as long as a call does', async () => {
    const { targets, board, clock } = setUp({ holdMs: 3_000 });
    targets.lookup(TARGET);
    targets.lookup(TARGET);
    expect(board.refs).toBe(1);
    await clock.pass(3_000);
    expect(board.refs).toBe(0);
    targets.lookup(TARGET);
    expect(board.refs).toBe(1);
    postAll(board, 'a');
    await settle();
    expect(board.refs).toBe(0);
    targets.lookup(TARGET);
    expect(board.refs).toBe(0);
  });

  it('closes: nothing watched, nothing held, no timer, everything retired', async () => {
    const { targets, board, clock, retired } = setUp();
    const waiting = targets.lookup('other:80');
    targets.lookup(TARGET);
    postAll(board, 'a');
    await settle();
    targets.close();
    expect(board.watched()).toEqual([]);
    expect(board.refs).toBe(0);
    expect(clock.pending()).toEqual([]);
    expect(retired).toEqual(['a=1']);
    expect(waiting.kind === 'pending' && (await waiting.settled).kind).toBe('absent');
    expect(targets.lookup(TARGET).kind).toBe('absent');
  });
});
