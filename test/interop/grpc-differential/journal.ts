import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { JournalEntry } from '../control-plane-go/control-plane.ts';

const SHORT: Readonly<Record<string, string>> = {
  Listener: 'LDS',
  RouteConfiguration: 'RDS',
  Cluster: 'CDS',
  ClusterLoadAssignment: 'EDS',
};

const typeOf = ({ type = '' }: JournalEntry): string => type.slice(type.lastIndexOf('.') + 1);

const INVALID_ARGUMENT = 3;

/** Which types were refused, each once; with the code where that is not INVALID_ARGUMENT. */
export const refusedTypes = (nacks: readonly JournalEntry[]): string =>
  [...new Set(nacks.map(refusal))].sort().join(' ');

function refusal(entry: JournalEntry): string {
  const type = SHORT[typeOf(entry)] ?? typeOf(entry);
  const code = entry.error?.code ?? INVALID_ARGUMENT;
  return code === INVALID_ARGUMENT ? type : `${type} by code ${code}`;
}

/** The last response of each type on each stream that is open has been acknowledged or refused. */
export function isSettled(journal: readonly JournalEntry[]): boolean {
  const waiting = new Map<string, string>();
  for (const entry of journal) {
    const key = `${entry.stream} ${entry.type}`;
    if (entry.kind === 'response') waiting.set(key, entry.nonce ?? '');
    if (entry.kind === 'request' && waiting.get(key) === entry.nonce) waiting.delete(key);
    if (entry.kind === 'closed')
      for (const open of waiting.keys()) if (open.startsWith(`${entry.stream} `)) waiting.delete(open);
  }
  return waiting.size === 0;
}

/** How many streams a client has begun to speak on. */
export const streamsOf = (journal: readonly JournalEntry[]): number =>
  journal.filter(({ client }) => client !== undefined).length;

const list = (value: JsonValue | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as JsonObject[]) : [];

/** Load reports by cluster. */
export function addedUp(journal: readonly JournalEntry[]): { readonly ended: number; readonly text: string } {
  const sums = new Map<string, Record<'issued' | 'ok' | 'failed' | 'dropped', number>>();
  for (const { load } of journal) {
    for (const cluster of list(load?.cluster_stats)) {
      const name = String(cluster.cluster_name);
      const sum = sums.get(name) ?? { issued: 0, ok: 0, failed: 0, dropped: 0 };
      sums.set(name, sum);
      sum.dropped += Number(cluster.total_dropped_requests ?? 0);
      for (const locality of list(cluster.upstream_locality_stats)) {
        sum.issued += Number(locality.total_issued_requests ?? 0);
        sum.ok += Number(locality.total_successful_requests ?? 0);
        sum.failed += Number(locality.total_error_requests ?? 0);
      }
    }
  }
  const told = [...sums].filter(([, { issued, dropped }]) => issued + dropped > 0).sort();
  return {
    ended: told.reduce((all, [, { ok, failed, dropped }]) => all + ok + failed + dropped, 0),
    text:
      told
        .map(
          ([name, { issued, ok, failed, dropped }]) =>
            `${name} issued ${issued} ok ${ok} failed ${failed} dropped ${dropped}`,
        )
        .join('; ') || 'none',
  };
}
