import { expect, it } from 'vitest';
import { defaultOf } from '../defaults.ts';
import { Latencies } from './latency.ts';

const WINDOW = defaultOf('latencyWindowMs');
const isAbout = (value: number | undefined, ms: number): boolean =>
  value !== undefined && value >= ms && value < ms * 1.1;

it('tells the 95th percentile within a bucket, never below it', () => {
  const latencies = new Latencies(0);
  for (let ms = 1; ms <= 1_000; ms++) latencies.add(ms, 0);
  expect(latencies.p95(0)).toSatisfy((value: number) => isAbout(value, 950));
});

it('says nothing of a few', () => {
  const latencies = new Latencies(0);
  for (let count = 1; count < defaultOf('latencySamples'); count++) latencies.add(5, 0);
  expect(latencies.p95(0)).toBeUndefined();
  latencies.add(5, 0);
  expect(latencies.p95(0)).toSatisfy((value: number) => isAbout(value, 5));
});

it('forgets: what is older than two windows is gone', () => {
  const latencies = new Latencies(0);
  for (let count = 0; count < 200; count++) latencies.add(1_000, 0);
  for (let count = 0; count < 200; count++) latencies.add(10, WINDOW);
  expect(latencies.p95(WINDOW)).toSatisfy((value: number) => isAbout(value, 1_000));
  expect(latencies.p95(2 * WINDOW)).toSatisfy((value: number) => isAbout(value, 10));
  expect(latencies.p95(4 * WINDOW)).toBeUndefined();
});

it('takes any number', () => {
  const latencies = new Latencies(0);
  for (let count = 0; count < 100; count++) latencies.add(count % 2 === 0 ? 0 : 1e12, 0);
  expect(latencies.p95(0)).toBeGreaterThan(1e6);
});
