import { request as requestHttp1 } from 'node:http';
import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { HeaderMutation } from '../../model/headers.ts';
import type { HealthCheckRequest, StatusRange } from '../../model/health-check.ts';
import { FrameReader, frameMessage } from '../../wire/grpc-frames.ts';
import type { CheckResult } from './state.ts';

/** One check on a connection that is there. */
export interface Talk {
  readonly socket: Socket;
  readonly check: HealthCheckRequest;
  readonly clusterName: string;
  readonly isTls: boolean;
  readonly isHttp2: boolean;
}

type Done = (result: CheckResult) => void;
type HttpCheck = Extract<HealthCheckRequest, { kind: 'http' }>;
type TcpCheck = Extract<HealthCheckRequest, { kind: 'tcp' }>;
type GrpcCheck = Extract<HealthCheckRequest, { kind: 'grpc' }>;

const OK: CheckResult = { kind: 'ok', isDegraded: false };
const failed = (reason: string, isRetriable: boolean): CheckResult => ({ kind: 'failed', isRetriable, reason });

export function talk(talking: Talk, done: Done): void {
  const { check, isHttp2 } = talking;
  if (check.kind === 'tcp') talkTcp(talking, check, done);
  else if (check.kind === 'grpc') talkGrpc(talking, check, done);
  else if (isHttp2) talkHttp2(talking, check, done);
  else talkHttp1(talking, check, done);
}

function talkTcp({ socket }: Talk, { send, receive }: TcpCheck, done: Done): void {
  if (send !== undefined) socket.write(send);
  if (receive.length === 0) {
    done(OK);
    return;
  }
  let heard = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    if (holds(heard, receive)) done(OK);
    else if (heard.length > MOST_BYTES) done(failed('the answer is not the expected one', true));
  });
}

function talkHttp1({ socket, clusterName }: Talk, check: HttpCheck, done: Done): void {
  const headers = ['host', check.host ?? clusterName, ...extra(check.requestHeaders)];
  if (check.body !== undefined) headers.push('content-length', String(check.body.length));
  const { method, path } = check;
  const request = requestHttp1({ createConnection: () => socket, method, path, headers, setHost: false });
  request.on('error', (error) => done(failed(error.message, true)));
  request.on('response', (response) => {
    const body: Buffer[] = [];
    response.on('data', (chunk: Buffer) => keep(body, chunk));
    response.on('error', (error) => done(failed(error.message, true)));
    response.on('end', () => done(judge(check, response.statusCode ?? 0, response.headers, body)));
  });
  request.end(check.body);
}

/** Of an answer, at most. */
const MOST_BYTES = 65_536;

function keep(body: Buffer[], chunk: Buffer): void {
  if (body.reduce((sum, { length }) => sum + length, 0) < MOST_BYTES) body.push(chunk);
}

function talkHttp2(talking: Talk, check: HttpCheck, done: Done): void {
  const head = { ':method': check.method, ':path': check.path, ':authority': check.host ?? talking.clusterName };
  const stream = openStream(talking, { ...head, ...asRecord(check.requestHeaders) }, done);
  const body: Buffer[] = [];
  let status = 0;
  let answered: IncomingHttpHeaders = {};
  stream.on('response', (headers) => {
    status = headers[':status'] ?? 0;
    answered = headers;
  });
  stream.on('data', (chunk: Buffer) => keep(body, chunk));
  stream.on('end', () => done(judge(check, status, answered, body)));
  stream.end(check.body);
}

/** grpc.health.v1.Health/Check */
function talkGrpc(talking: Talk, check: GrpcCheck, done: Done): void {
  const head = {
    ...{
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ':authority': check.authority ?? talking.clusterName,
    },
    ...{ 'content-type': 'application/grpc', te: 'trailers', ...asRecord(check.initialMetadata) },
  };
  const stream = openStream(talking, head, done);
  let serving: number | undefined;
  let grpcStatus: string | undefined;
  const reader = new FrameReader(MOST_BYTES, (message) => {
    serving = servingStatus(message);
  });
  const note = (headers: IncomingHttpHeaders): void => {
    const value = headers['grpc-status'];
    if (typeof value === 'string') grpcStatus = value;
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('data', (chunk: Buffer) => {
    if (reader.push(chunk) !== undefined) done(failed('the answer is no gRPC message', false));
  });
  stream.on('end', () => {
    if (grpcStatus !== '0') done(failed(`grpc-status ${grpcStatus ?? 'missing'}`, false));
    else done(serving === SERVING ? OK : failed(`the service is ${SERVING_NAMES[serving ?? 0] ?? 'unknown'}`, false));
  });
  stream.end(frameMessage(encodeRequest(check.service)));
}

function openStream({ socket, isTls }: Talk, head: Record<string, string>, done: Done): ClientHttp2Stream {
  const fail = (error: Error): void => done(failed(error.message, true));
  const session = connect(isTls ? 'https://check' : 'http://check', { createConnection: () => socket });
  session.on('error', fail);
  session.unref();
  const stream = session.request({ ':scheme': isTls ? 'https' : 'http', ...head });
  stream.on('error', fail);
  return stream;
}

/** Envoy HttpHealthCheckerImpl: an unexpected status is believed at once unless it is a retriable one. */
function judge(check: HttpCheck, status: number, headers: IncomingHttpHeaders, body: readonly Buffer[]): CheckResult {
  if (!check.expected.some((range) => isIn(status, range))) {
    return failed(
      `status ${status}`,
      check.retriable.some((range) => isIn(status, range)),
    );
  }
  if (!holds(bodyOf(body, check.receiveBytes), check.receive))
    return failed('the answer is not the expected one', false);
  return headers['x-envoy-degraded'] === undefined ? OK : { kind: 'ok', isDegraded: true };
}

const bodyOf = (chunks: readonly Buffer[], mostBytes: number): Buffer => {
  const whole = Buffer.concat(chunks);
  return mostBytes > 0 ? whole.subarray(0, mostBytes) : whole;
};

const isIn = (status: number, { start, end }: StatusRange): boolean => status >= start && status < end;

/** Envoy PayloadMatcher: one after another, with anything between. */
function holds(bytes: Buffer, patterns: readonly Uint8Array[]): boolean {
  let from = 0;
  for (const pattern of patterns) {
    const at = bytes.indexOf(pattern, from);
    if (at < 0) return false;
    from = at + pattern.length;
  }
  return true;
}

const AGENT = { name: 'user-agent', value: 'inmesh-health-check' };

const added = ({ set, remove }: HeaderMutation) => [AGENT, ...set].filter(({ name }) => !remove.includes(name));

const extra = (mutation: HeaderMutation): string[] => added(mutation).flatMap(({ name, value }) => [name, value]);

const asRecord = (mutation: HeaderMutation): Record<string, string> =>
  Object.fromEntries(added(mutation).map(({ name, value }) => [name, value]));

const SERVING = 1;
const SERVING_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
/** Field 1, length-delimited; field 1, varint. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;

function encodeRequest(service: string): Uint8Array {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const length: number[] = [];
  for (let left = name.length; ; left >>>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([SERVICE_TAG, ...length]), name]);
}

/** An empty message says UNKNOWN, as every field that is left out says 0. */
const servingStatus = (message: Uint8Array): number => (message[0] === STATUS_TAG ? (message[1] ?? 0) : 0);
