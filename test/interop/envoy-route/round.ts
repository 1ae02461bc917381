import fc from 'fast-check';
import { answerOf, type RouteAnswer } from '../../../sdk/src/route/answer.ts';
import type { RouteTable } from '../../../sdk/src/route/table.ts';
import { readRequest } from '../../../xds-server/src/cli/request-file.ts';
import { loadTable } from '../../../xds-server/src/cli/route-file.ts';
import { differing, isGrpcReply, ours, theirs } from './compare.ts';
import { hostnameOf, type LiveRouting, startLive, UPSTREAM_HEADERS } from './live.ts';
import { type Question, questions } from './requests.ts';
import { CLUSTERS, type Json, routeTables } from './tables.ts';

const TABLES = 160;
const REQUESTS_A_TABLE = 15;
const AT_ONCE = 8;

export interface Difference {
  /** What INMESH_INTEROP_SEED makes again. */
  readonly seed: number;
  readonly table: Json;
  readonly question: Question;
  readonly reason: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Round {
  readonly tables: number;
  /** How many requests had which outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
}

/** The tables and requests of one seed, asked of one Envoy and of our own decision. */
export async function round(binary: string, seed: number): Promise<Round> {
  const tables = fc.sample(routeTables, { seed, numRuns: TABLES });
  const asked = fc.sample(questions, { seed: seed + 1_000_000, numRuns: TABLES * REQUESTS_A_TABLE });
  const live = await startLive(binary, tables);
  const outcomes: string[] = [];
  const differences: Difference[] = [];
  try {
    // Few at a time: connections to a socket whose queue is full are lost.
    const left = tables.entries();
    const work = async (): Promise<void> => {
      for (const [index, table] of left) {
        const loaded = loadTable(JSON.stringify(table), 'table');
        if ('errors' in loaded) throw new Error(`${loaded.errors.join('\n')}\n${JSON.stringify(table)}`);
        for (const question of asked.slice(index * REQUESTS_A_TABLE, (index + 1) * REQUESTS_A_TABLE)) {
          const { outcome, ...found } = await compared(live, { table: loaded.table, index, question });
          outcomes.push(outcome);
          if (Object.keys(found.fields).length > 0) differences.push({ seed, table, question, ...found });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    await live.stop();
  }
  return { tables: tables.length, outcomes: tally(outcomes), differences };
}

interface Case {
  readonly table: RouteTable;
  readonly index: number;
  readonly question: Question;
}

async function compared(live: LiveRouting, { table, index, question }: Case) {
  const { request, draw } = readRequest(question, 'request');
  const isThere = (name: string): boolean => CLUSTERS.includes(name);
  const answer = answerOf(table, request, {
    ...{ draw, upstreamHeaders: UPSTREAM_HEADERS, isThere, hostname: hostnameOf },
    startTimeMs: Date.now(),
  });
  const answered = await live.ask(index, question);
  const { reason } = answer;
  if (answer.cluster === undefined && isGrpcReply(answered)) return { outcome: 'answered by gRPC', fields: {}, reason };
  // A rewrite may leave a path that is none; Envoy sends it, and whether a server takes it is the server's affair.
  if (!/^\/[!-~]*$/.test(answer.pathRewrite)) return { outcome: 'unsendable', fields: {}, reason };
  return { outcome: outcomeOf(answer), fields: differing(ours(answer), theirs(answered)), reason };
}

function outcomeOf({ redirect, directResponse, route, cluster }: RouteAnswer): string {
  if (redirect) return 'redirected';
  if (directResponse) return 'answered';
  if (route === undefined) return 'not found';
  return cluster === undefined ? 'without a cluster' : 'forwarded';
}

export function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries(counts);
}
