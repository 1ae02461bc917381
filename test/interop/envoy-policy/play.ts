import { setTimeout as delay } from 'node:timers/promises';
import { collapsed } from '../../harness/collapsed.ts';
import type { FaultServers } from '../../harness/fault-server.ts';
import type { Arrival } from '../../harness/fault-server-ledger.ts';
import type { Answer, Ask, CallReport, DataPlane, PolicyCase } from './case.ts';

/** What a data plane did in a case: lines that must be the same everywhere, and what is its own affair. */
export interface Outcome {
  /** One line a call or look, equal neighbours once. */
  readonly lines: readonly string[];
  /** Bounds of time or chance that were missed. */
  readonly missed: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  /** Envoy's response code details, each once. */
  readonly details: readonly string[];
}

interface Played {
  readonly id: string;
  readonly ask: Ask;
  readonly answer: Promise<Answer>;
}

interface Finished {
  readonly answer: Answer;
  readonly copies: number;
}

export async function play(policyCase: PolicyCase, plane: DataPlane, group: FaultServers): Promise<Outcome> {
  const played: (readonly Played[] | { readonly line: string })[] = [];
  let calls = 0;
  let session: Readonly<Record<string, string>> = {};
  const begin = (ask: Ask): Played => {
    const id = `${policyCase.name}/${++calls}`;
    const asked = ask.returnsSession ? { ...ask, headers: { ...session, ...ask.headers } } : ask;
    const answer = plane.call(id, asked).then((done) => {
      session = { ...session, ...sessionOf(done) };
      return done;
    });
    return { id, ask, answer };
  };
  for (const step of policyCase.steps) {
    if ('waitMs' in step) await delay(step.waitMs);
    else if ('until' in step) await noneEjected(plane);
    else if ('see' in step) played.push({ line: await seeEjected(plane, group) });
    else played.push(await askAll(step, begin));
  }
  await Promise.all(played.flatMap((entry) => ('line' in entry ? [] : entry.map(({ answer }) => answer))));
  const counters = await plane.counters();
  const ids = played.flatMap((entry) => ('line' in entry ? [] : entry.map(({ id }) => id)));
  const reports = await plane.reports(ids);
  const lines: string[] = [];
  const missed: string[] = [];
  let last: string | undefined;
  const finished: Finished[] = [];
  for (const entry of played) {
    if ('line' in entry) {
      lines.push(entry.line);
      continue;
    }
    const told: string[] = [];
    const reached = new Set<string>();
    for (const { id, ask, answer } of entry) {
      const done = await answer;
      const arrivals = group.ledger.of(id);
      const copies = group.mirrored.of(id);
      finished.push({ answer: done, copies: copies.length });
      const report = reports.get(id);
      if (!ask.quiet) told.push(tellCall(policyCase, group, { answer: done, report, arrivals, copies, last }));
      last = arrivals.at(-1)?.host;
      if (ask.tellsReached) for (const { host } of arrivals) reached.add(host);
      missed.push(...missedTimes(id, ask, done, arrivals));
    }
    // Who comes first of calls made at once is chance.
    const isConcurrent = entry.some(({ ask }) => (ask.atOnce ?? 1) > 1);
    lines.push(...(isConcurrent ? told.sort() : told));
    if (reached.size > 0) lines.push(`reached: ${[...reached].sort().join(' ')}`);
  }
  if (policyCase.share) {
    const { of } = policyCase.share;
    const isHit = 'ejected' in of ? await ejectedOf(plane, group) : finished.map((call) => isOf(of, call));
    missed.push(...missedShare(policyCase.share, isHit));
  }
  return {
    lines: policyCase.share ? [] : collapsed(lines),
    missed,
    counters: policyCase.counters === 'ignored' || policyCase.share ? {} : counted(counters),
    details: [...new Set(ids.flatMap((id) => reports.get(id)?.details ?? []))].sort(),
  };
}

async function askAll(ask: Ask, begin: (ask: Ask) => Played): Promise<readonly Played[]> {
  const { times = 1, atOnce = 1, background = false } = ask;
  const played: Played[] = [];
  const next = async (): Promise<void> => {
    while (played.length < times) {
      const one = begin(ask);
      played.push(one);
      if (background) continue;
      await one.answer;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  return played;
}

async function noneEjected(plane: DataPlane): Promise<void> {
  const begun = performance.now();
  while ((await plane.ejected()).length > 0 && performance.now() - begun < 5_000) await delay(20);
}

async function seeEjected(plane: DataPlane, group: FaultServers): Promise<string> {
  const ports = await plane.ejected();
  const names = group.servers.filter(({ port }) => ports.includes(port)).map(({ name }) => name);
  return `ejected: ${names.sort().join(', ') || 'none'}`;
}

function sessionOf({ headers }: Answer): Readonly<Record<string, string>> {
  const { 'set-cookie': cookie, 'x-session': session } = headers;
  return { ...(cookie && { cookie: cookie.replace(/;.*/, '') }), ...(session && { 'x-session': session }) };
}

async function ejectedOf(plane: DataPlane, group: FaultServers): Promise<readonly boolean[]> {
  const ports = new Set(await plane.ejected());
  return group.servers.map(({ port }) => ports.has(port));
}

interface Done {
  readonly answer: Answer;
  readonly report: CallReport | undefined;
  readonly arrivals: readonly Arrival[];
  readonly copies: readonly Arrival[];
  /** The host of the call before. */
  readonly last: string | undefined;
}

/** Headers of answers that call policy sets or reads. */
const TOLD_HEADERS = [
  'x-envoy-overloaded',
  'x-envoy-ratelimited',
  'x-envoy-attempt-count',
  'set-cookie',
  'x-session',
  'grpc-status',
  'grpc-message',
];

const EXPECTED = 'x-envoy-expected-rq-timeout-ms';

/** Headers of requests that call policy sets. */
const TOLD_UPSTREAM = [EXPECTED, 'x-envoy-attempt-count', 'x-envoy-is-timeout-retry', 'grpc-timeout'];

function tellCall({ tell = [] }: PolicyCase, group: FaultServers, done: Done): string {
  const { answer, report, arrivals, copies, last } = done;
  const names = group.servers.map(({ name }) => name);
  const parts = [
    `${answer.status} ${[...(report?.flags ?? [])].sort().join(',') || '-'}`,
    `tries ${report?.tries ?? '?'}`,
  ];
  if (arrivals.length !== (report?.tries ?? arrivals.length)) parts.push(`arrived ${arrivals.length}`);
  if (tell.includes('hosts')) parts.push(`hosts ${arrivals.map(({ host }) => host).join(' ')}`);
  if (tell.includes('distinct')) parts.push(`on ${new Set(arrivals.map(({ host }) => host)).size} hosts`);
  if (tell.includes('same-host') && last !== undefined)
    parts.push(arrivals.every(({ host }) => host === last) ? 'the same host' : 'another host');
  if (tell.includes('connections'))
    parts.push(`connections ${arrivals.map(({ host, connection }) => `${host}${connection}`).join(' ')}`);
  if (tell.includes('upstream-headers')) parts.push(...sentHeaders(arrivals));
  if (tell.includes('body-bytes')) parts.push(`bytes ${arrivals.map(({ bodyBytes }) => bodyBytes).join(' ')}`);
  // What a cookie or session says is chance.
  const headers = pairs(answer.headers, TOLD_HEADERS).replace(/(user|session)="[^"]+"|(?<=x-session: )\S+/g, '$1="…"');
  if (headers !== '') parts.push(`{${headers}}`);
  if (answer.broken) parts.push('broken off');
  if (copies.length > 0) parts.push(`copies ${copies.map((copy) => `${copy.host} ${copy.headers.host}`).join(' ')}`);
  if (answer.body !== '' && !names.includes(answer.body)) parts.push(`"${answer.body}"`);
  return parts.join('; ');
}

/** How much of the time is left is known of the first try alone, to a tenth of a second. */
function sentHeaders(arrivals: readonly Arrival[]): string[] {
  return arrivals.map(({ headers }, at) => {
    const left = headers[EXPECTED];
    if (left === undefined) return `sent {${pairs(headers, TOLD_UPSTREAM)}}`;
    const isLess = at > 0 && Number(left) < Number(arrivals[at - 1]?.headers[EXPECTED]);
    const told = isLess ? 'less' : String(Math.ceil(Number(left) / 100) * 100);
    return `sent {${pairs({ ...headers, [EXPECTED]: told }, TOLD_UPSTREAM)}}`;
  });
}

const pairs = (headers: NodeJS.Dict<string | string[]>, names: readonly string[]): string =>
  names.flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${headers[name]}`])).join(', ');

/** Of upper bounds, ms: a busy machine may come late. */
const SLACK = 500;

function missedTimes(id: string, ask: Ask, { ms }: Answer, arrivals: readonly Arrival[]): string[] {
  const missed: string[] = [];
  const { lastsMs, gapsMs } = ask;
  if (lastsMs && (ms < lastsMs[0] || ms > lastsMs[1] + SLACK))
    missed.push(`${id} lasted ${Math.round(ms)} ms, not ${lastsMs}`);
  for (const [at, arrival] of arrivals.slice(1).entries()) {
    const gap = arrival.atMs - (arrivals[at]?.atMs ?? 0);
    const bounds = gapsMs?.[Math.min(at, gapsMs.length - 1)];
    if (bounds && (gap < bounds[0] || gap > bounds[1] + SLACK))
      missed.push(`${id} waited ${Math.round(gap)} ms before try ${at + 2}, not ${bounds}`);
  }
  return missed;
}

/** Standard normal quantile of 1 - 10⁻⁶, with 2 more for small samples. */
const Z = 4.7534;

function missedShare({ is }: NonNullable<PolicyCase['share']>, isHit: readonly boolean[]): string[] {
  const count = isHit.filter(Boolean).length;
  const bound = Z * Math.sqrt(isHit.length * is * (1 - is)) + (is === 0 || is === 1 ? 0 : 2);
  const expected = isHit.length * is;
  return Math.abs(count - expected) <= bound
    ? []
    : [`${count} of ${isHit.length}, not ${Math.round(expected)} ± ${Math.round(bound)}`];
}

const isOf = (of: { readonly status: number } | { readonly mirrored: true }, { answer, copies }: Finished): boolean =>
  'status' in of ? answer.status === of.status : copies > 0;

/** Counters of call policy; the others depend on when connections are made. */
const COUNTED =
  /^(upstream_rq_(retry.*|pending_overflow|timeout|per_try_timeout|per_try_idle_timeout|max_duration_reached|retry_overflow)|upstream_cx_(overflow|connect_fail|connect_timeout|max_requests)|outlier_detection\.ejections_(active|overflow|enforced_.*|detected_.*)|http\.fault\.\w+|retry_or_shadow_abandoned)$/;

function counted(all: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(all)
      .filter(([name, value]) => COUNTED.test(name) && value > 0)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}
