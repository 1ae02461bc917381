import type { JsonObject } from '@bufbuild/protobuf';
import type { Ask, GrpcCase } from '../case.ts';
import { toA } from './pieces.ts';

const slow = (ms: number, more: Ask = {}): Ask => ({ script: `slow-${ms}`, ...more });
const longest = (max_stream_duration: JsonObject): readonly JsonObject[] => toA({ max_stream_duration });
const manager = (fields: JsonObject): JsonObject => ({ common_http_protocol_options: fields });

const timeout = (name: string, given: Omit<GrpcCase, 'name' | 'area' | 'hosts'>): GrpcCase => ({
  name: `timeout-${name}`,
  area: 'timeouts',
  hosts: ['a'],
  ...given,
});

export const TIMEOUTS: readonly GrpcCase[] = [
  timeout('max-stream-duration', {
    rule: '`max_stream_duration` of the route is a deadline',
    routes: longest({ max_stream_duration: '3s' }),
    steps: [slow(8000, { lastsMs: [0, 3_100] }), {}],
  }),
  timeout('told', {
    rule: 'the server is told by `grpc-timeout`',
    routes: longest({ max_stream_duration: '5s' }),
    steps: [{ tell: ['deadline'] }],
  }),
  timeout('header-max', {
    rule: '`grpc_timeout_header_max` goes before `max_stream_duration`',
    routes: longest({ max_stream_duration: '5s', grpc_timeout_header_max: '3s' }),
    steps: [slow(8000, { lastsMs: [0, 3_100] })],
  }),
  timeout('header-max-zero', {
    rule: '`grpc_timeout_header_max: 0` is no limit, whatever `max_stream_duration` says',
    routes: longest({ max_stream_duration: '0.2s', grpc_timeout_header_max: '0s' }),
    steps: [slow(600)],
  }),
  timeout('header-offset', {
    rule: '`grpc_timeout_header_offset` is not looked at',
    routes: longest({ grpc_timeout_header_max: '5s', grpc_timeout_header_offset: '4.9s' }),
    steps: [slow(600)],
  }),
  timeout('own', {
    rule: "the caller's deadline holds where it is earlier",
    routes: longest({ max_stream_duration: '5s' }),
    steps: [slow(8000, { timeoutMs: 800, lastsMs: [780, 1_100] })],
  }),
  timeout('manager', {
    rule: '`max_stream_duration` of the connection manager holds for routes without one',
    manager: manager({ max_stream_duration: '3s' }),
    steps: [slow(8000, { lastsMs: [0, 3_100] })],
  }),
  timeout('manager-replaced', {
    rule: 'that of the route goes before that of the connection manager',
    manager: manager({ max_stream_duration: '0.2s' }),
    routes: longest({ max_stream_duration: '5s' }),
    steps: [slow(600)],
  }),
  timeout('manager-zero', {
    rule: '`max_stream_duration: 0` of the route is no limit',
    manager: manager({ max_stream_duration: '0.2s' }),
    routes: longest({ max_stream_duration: '0s' }),
    steps: [slow(600)],
  }),
  timeout('manager-empty', {
    rule: 'a route whose `max_stream_duration` is empty has that of the connection manager',
    manager: manager({ max_stream_duration: '3s' }),
    routes: longest({}),
    steps: [slow(8000)],
  }),
  timeout('idle', {
    rule: '`idle_timeout` of the connection manager is no deadline',
    manager: manager({ idle_timeout: '0.2s' }),
    steps: [slow(600)],
  }),
  timeout('route-timeout', {
    rule: '`timeout` of the route',
    routes: toA({ timeout: '0.8s' }),
    steps: [slow(8000)],
    differs: "A route's `timeout` is a deadline for gRPC too: that is where Istio's `timeout:` stands.",
  }),
  timeout('route-idle', {
    rule: '`idle_timeout` of the route is no deadline',
    routes: toA({ idle_timeout: '0.2s' }),
    steps: [slow(600)],
    differs: '`idle_timeout` of a route ends a stream on which nothing moves, as in Envoy.',
  }),
  timeout('waiting', {
    rule: 'a deadline counts from the start of the call, waiting for endpoints included',
    clusters: { a: { assignment: { endpoints: [] } } },
    routes: longest({ max_stream_duration: '3s' }),
    steps: [{ waitForReady: true, timeoutMs: 5_000 }],
  }),
];
