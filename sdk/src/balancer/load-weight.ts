import type { LoadWeighted } from '../model/cluster.ts';

/** What a server says of its load (ORCA's OrcaLoadReport), as far as weights are made of it. No number of it is negative. */
export interface LoadReport {
  readonly cpu: number;
  readonly memory: number;
  readonly application: number;
  /** Requests, and errors, in a second. */
  readonly requests: number;
  readonly errors: number;
  /** By their full names: `named_metrics.x`, `utilization.x`. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** The weight a host has by its reports. A state that is lent, as those of pickers are. */
export interface ReportedWeight {
  weight: number;
  /** When the last report came, and the first of those that came without too long a pause. */
  lastMs: number;
  sinceMs: number;
}

type Rules = Pick<LoadWeighted, 'blackoutMs' | 'expirationMs' | 'errorPenalty' | 'metricNames'>;

/** Takes a report over; one that says nothing of requests or utilisation changes nothing (gRFC A58). */
export function takeReport(
  known: ReportedWeight | undefined,
  report: LoadReport,
  rules: Rules,
  nowMs: number,
): ReportedWeight | undefined {
  const weight = weightOf(report, rules);
  if (weight === undefined) return known;
  if (known === undefined) return { weight, lastMs: nowMs, sinceMs: nowMs };
  if (isExpired(known, rules, nowMs)) known.sinceMs = nowMs;
  known.weight = weight;
  known.lastMs = nowMs;
  return known;
}

/** gRFC A58: qps / (utilization + eps / qps × error_utilization_penalty); undefined: it says nothing. */
export function weightOf(report: LoadReport, { errorPenalty, metricNames }: Rules): number | undefined {
  const utilisation = utilisationOf(report, metricNames);
  const { requests, errors } = report;
  if (utilisation <= 0 || requests <= 0) return undefined;
  const weight = requests / (utilisation + (errors / requests) * errorPenalty);
  // Numbers at the ends of what a double can say.
  return Number.isFinite(weight) && weight > 0 ? weight : undefined;
}

/** gRFC A114, Envoy ClientSideWeightedRoundRobin: the application's own figure, else the highest of those named, else the CPU's. */
function utilisationOf(report: LoadReport, names: readonly string[]): number {
  if (report.application > 0) return report.application;
  const highest = names.reduce((most, name) => Math.max(most, metricOf(report, name)), 0);
  return highest > 0 ? highest : report.cpu;
}

function metricOf({ cpu, memory, application, metrics }: LoadReport, name: string): number {
  if (name === 'cpu_utilization') return cpu;
  if (name === 'mem_utilization') return memory;
  if (name === 'application_utilization') return application;
  if (!name.endsWith('.*')) return metrics.get(name) ?? 0;
  let most = 0;
  for (const [key, value] of metrics) if (key.startsWith(name.slice(0, -1))) most = Math.max(most, value);
  return most;
}

/** 0: it has none that counts now. */
export function usableWeight(known: ReportedWeight | undefined, rules: Rules, nowMs: number): number {
  if (known === undefined || isExpired(known, rules, nowMs)) return 0;
  return nowMs - known.sinceMs < rules.blackoutMs ? 0 : known.weight;
}

const isExpired = ({ lastMs }: ReportedWeight, { expirationMs }: Rules, nowMs: number): boolean =>
  nowMs - lastMs >= expirationMs;
