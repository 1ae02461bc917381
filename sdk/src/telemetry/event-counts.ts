import type { MeshEvent } from '../model/events.ts';
import { CALLS, CallCounts } from './call-counts.ts';

/** A metric that counts events. */
export interface CountedMetric {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

interface Rule extends CountedMetric {
  readonly kind: MeshEvent['kind'];
  /** The labels' values of an event of this kind. */
  readonly values: (event: MeshEvent) => readonly string[];
}

const rule = <K extends MeshEvent['kind']>(
  kind: K,
  metric: CountedMetric,
  values: (event: Extract<MeshEvent, { kind: K }>) => readonly string[],
): Rule => ({
  ...metric,
  kind,
  values: (event) => values(event as Extract<MeshEvent, { kind: K }>),
});

const shortType = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);

const RULES: readonly Rule[] = [
  rule(
    'xds-warning',
    {
      name: 'inmesh_xds_warnings_total',
      help: 'Fields of accepted xDS resources that have no effect here.',
      labels: ['type'],
    },
    ({ typeUrl }) => [shortType(typeUrl)],
  ),
  rule(
    'xds-nack',
    { name: 'inmesh_xds_rejects_total', help: 'xDS responses with a resource that was refused.', labels: ['type'] },
    ({ typeUrl }) => [shortType(typeUrl)],
  ),
  rule(
    'xds-stale',
    {
      name: 'inmesh_xds_stale_total',
      help: 'Resources taken from the snapshot on disk while no control plane could be reached.',
      labels: ['type'],
    },
    ({ typeUrl }) => [shortType(typeUrl)],
  ),
  rule(
    'ejected',
    { name: 'inmesh_ejections_total', help: 'Hosts left out by outlier detection.', labels: ['cluster', 'reason'] },
    ({ cluster, reason }) => [cluster, reason],
  ),
  rule(
    'retry-refused',
    {
      name: 'inmesh_retries_refused_total',
      help: 'Calls that would have been retried, and why they were not.',
      labels: ['cluster', 'reason'],
    },
    ({ cluster, reason }) => [cluster, reason],
  ),
  rule(
    'identity-rotated',
    {
      name: 'inmesh_identity_rotations_total',
      help: 'Times the certificate of this process, or the roots it goes by, was replaced.',
      labels: ['changed'],
    },
    ({ changed }) => [changed],
  ),
  rule(
    'identity-failed',
    { name: 'inmesh_identity_failures_total', help: 'Times no usable certificate was had.', labels: ['source'] },
    ({ source }) => [source],
  ),
  rule(
    'identity-expired',
    {
      name: 'inmesh_identity_expiries_total',
      help: 'Times the last certificate ended before another came.',
      labels: ['source'],
    },
    ({ source }) => [source],
  ),
];

/** How often something has happened, with its labels' values. */
export interface Count {
  readonly values: readonly string[];
  count: number;
}

/**
 * What the events of a mesh add up to. Calls come by the thousand, and their event is made only for somebody: they are counted
 * once the counts have been asked for.
 */
export class EventCounts {
  /** By kind: most events count nowhere, and some come with every call. */
  readonly #counted: ReadonlyMap<MeshEvent['kind'], { readonly rule: Rule; readonly counts: Map<string, Count> }> =
    new Map(RULES.map((each) => [each.kind, { rule: each, counts: new Map() }]));

  #calls: CallCounts | undefined;

  get countsCalls(): boolean {
    return this.#calls !== undefined;
  }

  record(event: MeshEvent): void {
    if (event.kind === 'call') {
      this.#calls?.record(event);
      return;
    }
    const counted = this.#counted.get(event.kind);
    if (counted === undefined) return;
    const values = counted.rule.values(event);
    const key = values.join('\n');
    const known = counted.counts.get(key);
    if (known === undefined) counted.counts.set(key, { values, count: 1 });
    else known.count++;
  }

  all(): readonly (readonly [metric: CountedMetric, counts: readonly Count[]])[] {
    this.#calls ??= new CallCounts();
    const rare = [...this.#counted.values()].map(({ rule: metric, counts }) => [metric, [...counts.values()]] as const);
    return [[CALLS, this.#calls.all()], ...rare];
  }
}
