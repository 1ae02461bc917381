import { fractionMatches } from '../../match/fraction.ts';
import { headerValue } from '../../match/headers.ts';
import type { MirrorPolicy } from '../../model/action.ts';
import type { Cluster, Endpoint } from '../../model/cluster.ts';
import type { MeshRequest } from '../../model/request.ts';
import type { CallBody } from '../body-source.ts';
import type { LiveTarget } from '../live-target.ts';
import { tlsFor, type Way } from '../plan.ts';
import { type RequestTimes, wireHeaders } from '../request-head.ts';
import type { LiveStory } from '../story.ts';
import type { CallOptions, CallRuntime } from '../types.ts';
import { AnswerRecord } from './answer-record.ts';
import { compareAnswers } from './compare.ts';
import { Mirror } from './mirror.ts';

export interface MirrorsParts {
  readonly runtime: CallRuntime;
  readonly target: LiveTarget;
  readonly way: Way;
  /** As the call itself goes out. */
  readonly request: MeshRequest;
  readonly options: CallOptions;
  readonly times: RequestTimes | undefined;
  readonly timeoutMs: number;
  readonly story: LiveStory;
  /** Of the caller's own answer, where mirrors are compared with it. */
  readonly record: AnswerRecord | undefined;
}

/** The mirrors a call has: each is drawn for itself. */
export const drawMirrors = ({ action }: Way, { random }: CallRuntime): readonly MirrorPolicy[] =>
  action.mirrors.filter(({ fraction }) => fractionMatches(fraction, random()));

/** Sends the copies; none of them can fail the call. `body` is all of it, its bytes are shared. */
export function sendMirrors(policies: readonly MirrorPolicy[], body: readonly Uint8Array[], parts: MirrorsParts): void {
  for (const policy of policies) {
    const cluster = policy.clusterHeader ? headerValue(parts.request.headers, policy.clusterHeader) : policy.cluster;
    const upstream = cluster === undefined ? undefined : parts.target.upstreams.get(cluster);
    if (upstream === undefined) continue;
    const { runtime, way, options, timeoutMs } = parts;
    const record = parts.record && new AnswerRecord(runtime.clock.now());
    if (record !== undefined) compareWhenOver(upstream.name, record, parts);
    const tls = (of: Cluster, endpoint: Endpoint) => tlsFor({ cluster: of, endpoint }, parts.request, options);
    const { priority } = way.action;
    const request = () => mirrorRequest(policy, body, parts);
    const isGrpc = options.isGrpc === true;
    new Mirror({ runtime, upstream, priority, tls, request, timeoutMs, isGrpc, record }).start();
  }
}

function mirrorRequest(policy: MirrorPolicy, chunks: readonly Uint8Array[], { request, times }: MirrorsParts) {
  const authority = policy.hostRewrite ?? (policy.shadowSuffix ? shadowHost(request.authority) : request.authority);
  const body = bodyOf(chunks);
  const headers = wireHeaders({ ...request, authority }, body, times);
  const { method, path } = request;
  const sent = body.kind === 'bytes' ? body.bytes : body.kind === 'stream' ? body.stream : null;
  return { method, path, headers, body: sent, upgrade: null };
}

/** Envoy ShadowWriterImpl: `-shadow` stands before the port. */
export function shadowHost(authority: string): string {
  const port = /(?<=[^:]|\]):\d+$/.exec(authority)?.[0] ?? '';
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}

function bodyOf(chunks: readonly Uint8Array[]): CallBody {
  const [first] = chunks;
  if (first === undefined) return { kind: 'none' };
  if (chunks.length === 1) return { kind: 'bytes', bytes: first };
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { kind: 'stream', stream: each(chunks), length };
}

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function compareWhenOver(mirror: string, theirs: AnswerRecord, { way, record, runtime, story }: MirrorsParts): void {
  const wanted = way.action.mirrorComparison;
  if (wanted === undefined || record === undefined) return;
  const compare = (): void => {
    // Of a call that had no whole answer there is nothing to compare with.
    if (record.endMs === undefined) return;
    const { target, route, cluster } = story;
    const isAnswered = theirs.endMs !== undefined;
    runtime.emit({
      kind: 'mirror-compared',
      ...{ target, route, cluster, mirror, ...compareAnswers(wanted, record, theirs) },
      status: [record.status, theirs.status],
      ...(wanted.latency && isAnswered && { latencyMs: [lasted(record), lasted(theirs)] as const }),
    });
  };
  record.whenOver(() => theirs.whenOver(compare));
}

const lasted = ({ startMs, endMs = startMs }: AnswerRecord): number => endMs - startMs;
