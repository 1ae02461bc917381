import { Counter, Gauge, Registry } from 'prom-client';
import type { Ejection } from '../upstream/outlier/record.ts';
import type { EventCounts } from './event-counts.ts';

const labelled = (labels: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));

/** The counts and the hosts that are out now, in Prometheus' text format; written anew for each reader. */
export async function metricsText(counts: EventCounts, ejections: readonly Ejection[]): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  for (const [{ name, help, labels }, entries] of counts.all()) {
    const counter = new Counter({ name, help, labelNames: labels, registers });
    for (const { values, count } of entries) counter.inc(labelled(labels, values), count);
  }
  const gauge = new Gauge({
    name: 'inmesh_ejected_hosts',
    help: 'Hosts that outlier detection leaves out now.',
    labelNames: ['cluster'],
    registers,
  });
  for (const { cluster, isEjected } of ejections) gauge.inc({ cluster }, isEjected ? 1 : 0);
  return registry.metrics();
}
