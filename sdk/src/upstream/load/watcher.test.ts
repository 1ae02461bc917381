import { beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock, type FakeClock } from '../../../../test/harness/fake-clock.ts';
import type { LoadReport } from '../../balancer/load-weight.ts';
import { clusterOf } from '../../connection/origin.fixture.ts';
import { LiveHost } from '../host.ts';
import type { LoadListener, LoadSource } from './stream.ts';
import { LoadWatcher } from './watcher.ts';

interface Started {
  readonly source: LoadSource;
  readonly on: LoadListener;
  isCancelled: boolean;
}

const REPORT: LoadReport = { cpu: 1, memory: 0, application: 0, requests: 1, errors: 0, metrics: new Map() };
const place = { locality: { region: '', zone: '', subZone: '' }, priority: 0 };
const hostAt = (port: number): LiveHost =>
  new LiveHost({ address: '10.0.0.1', port, health: 'healthy', weight: 1 }, place);

let clock: FakeClock;
let started: Started[];
let reported: number[];
let watcher: LoadWatcher;
beforeEach(() => {
  clock = createFakeClock();
  started = [];
  reported = [];
  const owner = { clock, random: () => 2 ** 31, onReport: (host: LiveHost) => reported.push(host.port) };
  watcher = new LoadWatcher(clusterOf({ name: 'a' }), 10_000, owner, (source, on) => {
    const one: Started = { source, on, isCancelled: false };
    started.push(one);
    return {
      cancel: () => {
        one.isCancelled = true;
      },
    };
  });
});

describe('hosts that report out of band', () => {
  it('are asked once each, when they are first called', async () => {
    const [one, two] = [hostAt(1), hostAt(2)];
    for (const host of [one, two, one, two]) watcher.watch(host);
    expect(started.map(({ source }) => [source.host.port, source.periodMs])).toEqual([
      [1, 10_000],
      [2, 10_000],
    ]);
    started[1]?.on.report(REPORT);
    expect(reported).toEqual([2]);
  });

  it('are asked again after pauses that grow, until one has reported', async () => {
    watcher.watch(hostAt(1));
    const pauses = [1_000, 1_600, 2_560];
    for (const ms of pauses) {
      const before = started.length;
      started.at(-1)?.on.ended(false, 'gone');
      await clock.pass(ms - 1);
      expect(started).toHaveLength(before);
      await clock.pass(1);
      expect(started).toHaveLength(before + 1);
    }
    started.at(-1)?.on.report(REPORT);
    started.at(-1)?.on.ended(false, 'gone');
    await clock.pass(1_000);
    expect(started).toHaveLength(pauses.length + 2);
  });

  it('pause two minutes at most', async () => {
    watcher.watch(hostAt(1));
    for (let i = 0; i < 50; i++) {
      started.at(-1)?.on.ended(false, 'gone');
      await clock.pass(120_000);
    }
    expect(started).toHaveLength(51);
  });

  it('that have no such service are not asked again', async () => {
    const host = hostAt(1);
    watcher.watch(host);
    started[0]?.on.ended(true, 'unimplemented');
    await clock.pass(1_000_000);
    watcher.watch(host);
    expect(started).toHaveLength(1);
  });

  it('that are gone are asked no more, also where they are between two streams', async () => {
    const [one, two] = [hostAt(1), hostAt(2)];
    watcher.watch(one);
    watcher.watch(two);
    started[1]?.on.ended(false, 'gone');
    one.removed = true;
    two.removed = true;
    watcher.forgetRemoved();
    expect(started[0]?.isCancelled).toBe(true);
    await clock.pass(1_000_000);
    watcher.watch(one);
    expect(started).toHaveLength(2);
  });

  it('are asked anew for another period, and not for the same', async () => {
    watcher.watch(hostAt(1));
    watcher.adopt(clusterOf({ name: 'a' }), 10_000);
    expect(started).toHaveLength(1);
    watcher.adopt(clusterOf({ name: 'a' }), 5_000);
    expect(started.map(({ source, isCancelled }) => [source.periodMs, isCancelled])).toEqual([
      [10_000, true],
      [5_000, false],
    ]);
  });

  it('are left alone once it is closed', async () => {
    watcher.watch(hostAt(1));
    watcher.watch(hostAt(2));
    started[1]?.on.ended(false, 'gone');
    watcher.close();
    await clock.pass(1_000_000);
    expect(started).toHaveLength(2);
    expect(started[0]?.isCancelled).toBe(true);
  });
});
