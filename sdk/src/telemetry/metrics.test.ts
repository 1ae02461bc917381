import { describe, expect, it } from 'vitest';
import type { CallStory, MeshEvent } from '../model/events.ts';
import { EventCounts } from './event-counts.ts';
import { metricsText } from './metrics.ts';

const CLUSTER = 'outbound|80||a.default.svc.cluster.local';
const typeUrl = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const EVENTS: readonly MeshEvent[] = [
  { kind: 'xds-warning', typeUrl, resource: CLUSTER, message: 'x: ignored' },
  { kind: 'xds-warning', typeUrl, resource: CLUSTER, message: 'y: ignored' },
  { kind: 'xds-nack', typeUrl, errors: ['z: refused'] },
  { kind: 'xds-stale', typeUrl, resource: CLUSTER, sentMs: 0 },
  { kind: 'ejected', cluster: CLUSTER, host: '10.0.0.1:80', reason: 'consecutive-5xx', untilMs: 0, count: 1 },
  { kind: 'retry-refused', target: 'a:80', cluster: CLUSTER, reason: 'body' },
  { kind: 'identity-failed', source: 'CA ca:1', reason: 'gone' },
  { kind: 'warning', message: 'counts nowhere' },
];

const ejection = (host: string, isEjected: boolean) => ({
  cluster: CLUSTER,
  host,
  isEjected,
  reason: 'consecutive-5xx' as const,
  sinceMs: 0,
  untilMs: 0,
  count: 1,
  counters: {
    consecutive5xx: 5,
    consecutiveGatewayFailures: 0,
    consecutiveLocalOriginFailures: 0,
    requests: 5,
    failures: 5,
  },
});

const STORY: CallStory = {
  target: 'a:80',
  route: 'r',
  cluster: 'outbound|80|v1|a.default.svc.cluster.local',
  endpoint: '10.0.0.1:80',
  peer: 'spiffe://td/ns/default/sa/a',
  grpcStatus: undefined,
  attempts: [],
  flag: undefined,
  flags: [],
  retryRefused: undefined,
  local: false,
  timings: { startMs: 0, headersMs: 0, endMs: 0 },
};
const REQUEST = { method: 'POST', scheme: 'http', authority: 'a:80', path: '/', headers: [] } as const;

const call = (status: number, story: Partial<CallStory> = {}): MeshEvent => ({
  kind: 'call',
  request: REQUEST,
  status,
  story: { ...STORY, ...story },
});

describe('calls', () => {
  const lines = async (counts: EventCounts) =>
    (await metricsText(counts, { ejections: [] })).split('\n').filter((line) => line.startsWith('istio_requests'));

  it('are counted once metrics have been asked for, by what they came to: gRPC by its status', async () => {
    const counts = new EventCounts();
    counts.record(call(200));
    expect(counts.countsCalls).toBe(false);
    expect(await lines(counts)).toEqual([]);
    for (const one of [call(200), call(200), call(200, { grpcStatus: 14 }), call(503, { flags: ['UO', 'URX'] })]) {
      counts.record(one);
    }
    counts.record(call(404, { cluster: '', peer: undefined, flags: ['NR'] }));
    const of =
      'destination_service="a.default.svc.cluster.local",destination_service_name="a",destination_service_namespace="default",destination_principal="spiffe://td/ns/default/sa/a"';
    const other =
      'destination_service="a",destination_service_name="a",destination_service_namespace="unknown",destination_principal="unknown"';
    expect(await lines(counts)).toEqual([
      `istio_requests_total{reporter="source",request_protocol="http",${of},response_code="200",grpc_response_status="",response_flags="-"} 2`,
      `istio_requests_total{reporter="source",request_protocol="grpc",${of},response_code="200",grpc_response_status="14",response_flags="-"} 1`,
      `istio_requests_total{reporter="source",request_protocol="http",${of},response_code="503",grpc_response_status="",response_flags="UO,URX"} 1`,
      `istio_requests_total{reporter="source",request_protocol="http",${other},response_code="404",grpc_response_status="",response_flags="NR"} 1`,
    ]);
  });
});

describe('metrics', () => {
  it('are what events add up to, and who is out now', async () => {
    const counts = new EventCounts();
    for (const event of EVENTS) counts.record(event);
    const text = await metricsText(counts, {
      ejections: [ejection('10.0.0.1:80', true), ejection('10.0.0.2:80', false)],
      certificate: { id: 'spiffe://td/ns/a/sa/b', notAfterMs: 1_800_000_000_000 },
    });
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
      'inmesh_xds_warnings_total{type="Cluster"} 2',
      'inmesh_xds_rejects_total{type="Cluster"} 1',
      'inmesh_xds_stale_total{type="Cluster"} 1',
      `inmesh_ejections_total{cluster="${CLUSTER}",reason="consecutive-5xx"} 1`,
      `inmesh_retries_refused_total{cluster="${CLUSTER}",reason="body"} 1`,
      'inmesh_identity_failures_total{source="CA ca:1"} 1',
      `inmesh_ejected_hosts{cluster="${CLUSTER}"} 1`,
      'inmesh_identity_expiry_timestamp_seconds{id="spiffe://td/ns/a/sa/b"} 1800000000',
    ]);
  });

  it('are named before anything has happened', async () => {
    expect(await metricsText(new EventCounts(), { ejections: [] })).toContain('# TYPE inmesh_ejections_total counter');
  });
});
