import type { MeshEvent } from '../model/events.ts';
import type { Count, CountedMetric } from './event-counts.ts';

type CallEvent = Extract<MeshEvent, { kind: 'call' }>;

/** Istio's standard metric, as the side that calls has it (istio.io/docs, reference/config/metrics). */
export const CALLS: CountedMetric = {
  name: 'istio_requests_total',
  help: 'Calls that have ended, counted from the first time that metrics were asked for.',
  labels: [
    'reporter',
    'request_protocol',
    'destination_service',
    'destination_service_name',
    'destination_service_namespace',
    'destination_principal',
    'response_code',
    'grpc_response_status',
    'response_flags',
  ],
};

/** What calls came to. A key is made of what an event has, its labels only for a new one. */
export class CallCounts {
  readonly #counts = new Map<string, Count>();

  record({ status, story }: CallEvent): void {
    const { cluster, target, peer, grpcStatus, flags } = story;
    const key = `${cluster || target} ${status} ${grpcStatus} ${flags.join()} ${peer}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else this.#counts.set(key, { values: labelsOf(status, story), count: 1 });
  }

  all(): readonly Count[] {
    return [...this.#counts.values()];
  }
}

function labelsOf(status: number, { cluster, target, peer, grpcStatus, flags }: CallEvent['story']): readonly string[] {
  const service = serviceOf(cluster) ?? target.replace(/:\d+$/, '');
  const [name = service, namespace = 'unknown'] = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(service)?.slice(1) ?? [];
  return [
    'source',
    grpcStatus === undefined ? 'http' : 'grpc',
    service,
    name,
    namespace,
    peer ?? 'unknown',
    String(status),
    grpcStatus === undefined ? '' : String(grpcStatus),
    flags.length === 0 ? '-' : flags.toSorted().join(),
  ];
}

/** `outbound|PORT|SUBSET|HOST`; another name stands for itself. */
function serviceOf(cluster: string): string | undefined {
  if (cluster === '') return undefined;
  return /^outbound\|\d+\|[^|]*\|(.+)$/.exec(cluster)?.[1] ?? cluster;
}
