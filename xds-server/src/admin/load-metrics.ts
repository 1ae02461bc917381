import type { Counter, Registry } from 'prom-client';
import type { LoadReport } from '../discovery/load-book.ts';

const PLACE = ['cluster', 'region', 'zone', 'sub_zone'];

/** The figures of load reports; nothing of them is there before the first. */
export function loadMetrics(client: typeof import('prom-client'), registry: Registry): (report: LoadReport) => void {
  let set: ((report: LoadReport) => void) | undefined;
  return (report) => {
    set ??= createMetrics(client, registry);
    set(report);
  };
}

function createMetrics(
  { Counter: CounterOf, Gauge: GaugeOf }: typeof import('prom-client'),
  registry: Registry,
): (report: LoadReport) => void {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]): Counter =>
    new CounterOf({ name, help, labelNames, registers });
  const streams = new GaugeOf({ name: 'inmesh_lrs_streams', help: 'Clients that report their load.', registers });
  const calls = counter('inmesh_lrs_requests_total', 'Calls that clients report as ended, by outcome.', [
    ...PLACE,
    'outcome',
  ]);
  const issued = counter('inmesh_lrs_requests_issued_total', 'Calls that clients report as begun.', PLACE);
  const running = new GaugeOf({
    name: 'inmesh_lrs_requests_in_progress',
    help: 'Calls under way, as last reported.',
    labelNames: PLACE,
    registers,
  });
  const dropped = counter('inmesh_lrs_dropped_requests_total', 'Calls that clients dropped, by category.', [
    'cluster',
    'category',
  ]);
  const overflow = counter('inmesh_lrs_overflow_total', 'Reports of clusters beyond what is kept.', []);
  return (report) => {
    for (const metric of [calls, issued, running, dropped, overflow]) metric.reset();
    streams.set(report.clients);
    overflow.inc(report.overflow);
    for (const { cluster, category, calls: count } of report.dropped) dropped.inc({ cluster, category }, count);
    for (const { cluster, region, zone, subZone, ...load } of report.localities) {
      const place = { cluster, region, zone, sub_zone: subZone };
      calls.inc({ ...place, outcome: 'success' }, load.successes);
      calls.inc({ ...place, outcome: 'error' }, load.errors);
      issued.inc(place, load.issued);
      running.inc(place, load.inProgress);
    }
  };
}
