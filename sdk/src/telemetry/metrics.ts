import { Counter, Gauge, Registry } from 'prom-client';
import type { Ejection } from '../upstream/outlier/record.ts';
import type { EventCounts } from './event-counts.ts';

const labelled = (labels: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));

/** What holds now, beside what has been counted. */
export interface Standing {
  readonly ejections: readonly Ejection[];
  /** Of this process's own certificate; undefined where it has none. */
  readonly certificate?: { readonly id: string; readonly notAfterMs: number } | undefined;
}

/** The counts and what holds now, in Prometheus' text format; written anew for each reader. */
export async function metricsText(counts: EventCounts, { ejections, certificate }: Standing): Promise<string> {
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
  const expiry = new Gauge({
    name: 'inmesh_identity_expiry_timestamp_seconds',
    help: "When this process's own certificate ends, in seconds since 1970; absent where it has none.",
    labelNames: ['id'],
    registers,
  });
  if (certificate !== undefined) expiry.set({ id: certificate.id }, certificate.notAfterMs / 1_000);
  return registry.metrics();
}
