import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createQuietTime } from './quiet-time.ts';

const setUp = () => {
  const clock = createFakeClock();
  const served: string[] = [];
  const quietTime = createQuietTime(clock, (urgency) => served.push(`${urgency} ${clock.now()}`));
  return { clock, served, quietTime };
};

describe('quiet time', () => {
  it('endpoints go at once, those that follow together after the cooling-off', async () => {
    const { clock, served, quietTime } = setUp();
    for (let i = 0; i < 3; i += 1) quietTime.note('endpoints');
    expect(served).toEqual(['endpoints 0']);
    await clock.pass(100);
    expect(served).toEqual(['endpoints 0', 'endpoints 10']);
    quietTime.note('endpoints');
    expect(served.at(-1)).toBe('endpoints 100');
  });

  it('configuration waits for 20 ms without a further change', async () => {
    const { clock, served, quietTime } = setUp();
    quietTime.note('configuration');
    await clock.pass(15);
    quietTime.note('configuration');
    await clock.pass(19);
    expect(served).toEqual([]);
    await clock.pass(1);
    expect(served).toEqual(['configuration 35']);
    await clock.pass(1_000);
    expect(served).toHaveLength(1);
  });

  it('configuration that never rests goes after a second', async () => {
    const { clock, served, quietTime } = setUp();
    for (let i = 0; i < 150; i += 1) {
      quietTime.note('configuration');
      await clock.pass(10);
    }
    expect(served[0]).toBe('configuration 1000');
  });

  it('endpoints do not wait for configuration, and configuration takes waiting endpoints along', async () => {
    const { clock, served, quietTime } = setUp();
    quietTime.note('configuration');
    quietTime.note('endpoints');
    expect(served).toEqual(['endpoints 0']);
    await clock.pass(15);
    quietTime.note('endpoints');
    await clock.pass(4);
    quietTime.note('endpoints');
    await clock.pass(100);
    expect(served).toEqual(['endpoints 0', 'endpoints 15', 'configuration 20']);
  });

  it('nothing is served after close', async () => {
    const { clock, served, quietTime } = setUp();
    quietTime.note('configuration');
    quietTime.close();
    await clock.pass(5_000);
    expect(served).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });
});
