import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Backend, type Misbehaviour, type Seen, startBackend } from '../grpc-peers/backend.ts';
import type { Peer, PeerAnswer } from '../grpc-peers/peer.ts';
import type { PeerKind } from '../grpc-peers/peers.ts';
import type { Issuer } from './certificate-files.ts';
import type { Ask, Told, Want } from './features/feature.ts';

/** v1, v2 and v3, that answer what they saw; v4 takes nothing but mutual TLS, as the service account `default/echo`. */
export async function startBackends(issuer: Issuer): Promise<readonly Backend[]> {
  const files = await issuer.issue('echo');
  const tls = {
    cert: readFileSync(files.certificate_file, 'utf8'),
    key: readFileSync(files.private_key_file, 'utf8'),
    ca: readFileSync(files.ca_certificate_file, 'utf8'),
  };
  const plain = ['v1', 'v2', 'v3'].map((name) => startBackend(name));
  const backends = await Promise.all([...plain, startBackend('v4', { tls })]);
  for (const backend of backends) backend.behave(behaviour);
  return backends;
}

/** `x-fail: TIMES STATUS` and `x-delay: MS`, as the caller asks. */
function behaviour({ headers }: Seen): Misbehaviour | undefined {
  const [times = '0', grpcStatus = '14'] = (headers['x-fail'] ?? '').split(' ');
  const before = Number(headers['grpc-previous-rpc-attempts'] ?? 0);
  if (before < Number(times)) return { grpcStatus: Number(grpcStatus) };
  return headers['x-delay'] === undefined ? undefined : { delayMs: Number(headers['x-delay']) };
}

/** With the ports of the backends, and a namespace. */
export const placed = (yaml: string, backends: readonly Backend[], namespace = 'default'): string =>
  yaml
    .replaceAll(/\bNS\b/g, namespace)
    .replaceAll(/\bPORT(\d)/g, (_, version) => String(backends[Number(version) - 1]?.port));

const tell = (answer: PeerAnswer): Told =>
  answer.status === 'OK' ? { ...answer, seen: JSON.parse(answer.body ?? '{}') } : answer;

/** One word for what a call came to. */
const outcome = ({ status, seen }: Told): string => (status === 'OK' ? (seen?.backend ?? 'nobody') : `!${status}`);

function check(want: Want, told: readonly Told[]): void {
  if (typeof want === 'function') {
    want(told);
    return;
  }
  const failure = told.find(({ status }) => status !== 'OK');
  expect([...new Set(told.map(outcome))].sort().join('|'), JSON.stringify(failure)).toBe(want);
}

/** The first call of a grpc-java that has just been started takes ten seconds on a busy machine. */
const PATIENCE_MS = 40_000;

/** On a channel of its own; `xds` credentials, so that TLS is spoken where we say so. */
export async function ask(kind: PeerKind, peer: Peer, one: Ask, namespace = 'default'): Promise<void> {
  const { target = 'echo.NS:7070', want, except, ...call } = one;
  const channel = target.replaceAll('NS', namespace);
  await peer.open(channel, `xds:///${channel}`, { credentials: 'xds' });
  const told = (await peer.call(channel, { deadlineMs: PATIENCE_MS, ...call })).map(tell);
  await peer.close(channel);
  check(except?.[kind] ?? want, told);
}
