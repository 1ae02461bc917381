import type { LoadReport } from '../discovery/load-book.ts';
import { problemLine } from '../schema/problem.ts';
import type { Problem } from '../schema/types.ts';
import { type AdminPage, type AdminReply, json, plain } from './admin-server.ts';
import type { ClientView } from './clients.ts';

/** What the admin pages read. */
export interface AdminSubject {
  readonly isReady: () => boolean;
  readonly metrics: () => Promise<string>;
  readonly clients: () => readonly ClientView[];
  readonly problems: () => readonly Problem[];
  /** Who was not let in lately, and why. */
  readonly refusals: () => readonly object[];
  /** What clients report of their calls; undefined: nobody is asked to. */
  readonly loads: () => LoadReport | undefined;
  /** envoy.service.status.v3.ClientStatusResponse as JSON; of one node id, or of all. */
  readonly clientStatus: (client: string | undefined, withContents: boolean) => Promise<unknown>;
  /** Everything that a client subscribes to, as JSON; undefined where no such client is connected. */
  readonly dump: (client: string) => Promise<unknown>;
}

const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

async function configDump({ clients, dump }: AdminSubject, query: URLSearchParams): Promise<AdminReply> {
  const ids = [...new Set(clients().map(({ id }) => id))];
  const id = query.get('client');
  const found = id === null ? undefined : await dump(id);
  if (found !== undefined) return json(found);
  const wrong = id === null ? 'client is missing' : `client: got "${id}", which is not connected`;
  return plain(
    `${wrong}; want one of\n${ids.map((one) => `  /config_dump?client=${encodeURIComponent(one)}\n`).join('')}`,
    id === null ? 400 : 404,
  );
}

const problemsPage = (problems: readonly Problem[], query: URLSearchParams): AdminReply =>
  query.get('format') === 'json'
    ? json(problems)
    : plain(problems.map((problem) => `${problemLine(problem)}\n`).join(''));

/** By path. */
export const adminPages = (subject: AdminSubject): ReadonlyMap<string, AdminPage> =>
  new Map<string, AdminPage>([
    ['/healthz', { summary: 'whether the process lives', render: () => plain('ok\n') }],
    [
      '/readyz',
      {
        summary: 'whether the configuration is read and streams are answered',
        render: () => (subject.isReady() ? plain('ready\n') : plain('not ready\n', 503)),
      },
    ],
    [
      '/metrics',
      {
        summary: 'Prometheus text, under istiod’s names where it has them',
        render: async () => ({ type: METRICS, body: await subject.metrics() }),
      },
    ],
    [
      '/clients',
      { summary: 'who is connected, and SYNCED, STALE or NACK by type', render: () => json(subject.clients()) },
    ],
    ['/refusals', { summary: 'who was not let in lately, and why', render: () => json(subject.refusals()) }],
    [
      '/load',
      {
        summary: 'calls that gRPC clients report, per cluster and locality (LRS)',
        render: () => json(subject.loads() ?? { off: 'inmesh serve --load-reporting TIME asks clients for it' }),
      },
    ],
    [
      '/csds',
      {
        summary:
          'what became of every resource of every client (?client=ID, ?contents=1); CSDS over gRPC on this port too',
        render: async (query) =>
          json(await subject.clientStatus(query.get('client') ?? undefined, query.get('contents') === '1')),
      },
    ],
    ['/config_dump', { summary: 'what a client is sent (?client=ID)', render: (query) => configDump(subject, query) }],
    [
      '/problems',
      {
        summary: 'what is wrong in the configuration (?format=json)',
        render: (query) => problemsPage(subject.problems(), query),
      },
    ],
  ]);
