import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { runSliced, type SlicedBuild } from './slices.ts';

/** Builds whose every step takes 1 ms of a common clock; a turn has 5 ms and uses half of them. */
function rig() {
  let time = 0;
  const clock = { now: () => time, wallTime: () => 0, after: () => ({ cancel: () => {} }) };
  const log: string[] = [];
  function* steps(name: string, count: number): Generator<void, string> {
    for (let step = 1; step < count; step++) {
      time++;
      log.push(name);
      yield;
    }
    if (name === 'bad') throw new Error('no');
    return name;
  }
  const start = (name: string, count: number): SlicedBuild =>
    runSliced({
      clock,
      sliceMs: 5,
      steps: steps(name, count),
      done: (value) => log.push(`${value} done`),
      failed: (error) => log.push(String(error)),
    });
  return { start, taken: () => log.splice(0).join(' ') };
}

describe('builds in slices', () => {
  it('a small one is over on return', async () => {
    const { start, taken } = rig();
    start('a', 2);
    expect(taken()).toBe('a a done');
    await turn();
  });

  it('a large one takes several turns', async () => {
    const { start, taken } = rig();
    start('a', 6);
    expect(taken()).toBe('a a a');
    await turn();
    expect(taken()).toBe('a a a done');
    await turn();
  });

  it('builds that start together share the time of one turn, each in its turn', async () => {
    const { start, taken } = rig();
    for (const name of ['a', 'b', 'c']) start(name, 5);
    expect(taken()).toBe('a a a');
    const turns: string[] = [];
    for (let count = 0; count < 4; count++) {
      await turn();
      turns.push(taken());
    }
    expect(turns).toEqual(['a a done b b', 'c c c', 'b b b done c', 'c done']);
    await turn();
  });

  it('a cancelled one does nothing more', async () => {
    const { start, taken } = rig();
    start('a', 9).cancel();
    taken();
    await turn();
    await turn();
    expect(taken()).toBe('');
  });

  it('a failure is told once', async () => {
    const { start, taken } = rig();
    start('bad', 2);
    await turn();
    expect(taken()).toBe('bad Error: no');
  });
});
