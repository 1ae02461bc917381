import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import { endProcess } from '../../harness/child-process.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';

/** The program, built once; undefined where there is no Go. */
export const buildControlPlane = (): string | undefined => buildGoPeer('control-plane');

/** `{"@type": …}` in protobuf JSON or `{type_url, value: base64}`; `$ttl` in seconds, `$unknown` bytes in base64. */
export type ServedResource = JsonObject;

export interface ControlPlaneOptions {
  /** Where ADS is served; a port that is free where absent. */
  readonly xds?: string;
  /** It answers a request only when that names every resource of the type. */
  readonly ads?: boolean;
}

/** One line of what happened on the streams. */
export interface JournalEntry {
  readonly kind: 'opened' | 'closed' | 'request' | 'response' | 'load';
  readonly stream: number;
  /** Group of the node. */
  readonly for?: string;
  readonly node?: string;
  readonly delta?: boolean;
  readonly type?: string;
  readonly version?: string;
  readonly nonce?: string;
  readonly names?: readonly string[];
  readonly dropped?: readonly string[];
  readonly removed?: readonly string[];
  /** Of a NACK. */
  readonly error?: { readonly code: number; readonly message: string };
  /** Of the first request of a stream. */
  readonly client?: { readonly agent: string; readonly version: string; readonly features: readonly string[] | null };
  /** A LoadStatsRequest. */
  readonly load?: JsonObject;
}

/** go-control-plane in a process of its own. A node whose id is `GROUP/REST` is served what GROUP is, any other what `*` is. */
export interface ControlPlane {
  /** `127.0.0.1:PORT` */
  readonly xds: string;
  /** Replaces all that a group is served; fails where a resource is not understood. */
  serve(resources: readonly ServedResource[], group?: string, version?: string): Promise<void>;
  /** What is asked of those who report loads; all clusters each 500 ms where it is not called. */
  askLoads(
    asked: { readonly intervalMs: number; readonly clusters?: readonly string[] },
    group?: string,
  ): Promise<void>;
  /** Ends the streams of a group, or all; how many. */
  drop(group?: string): Promise<number>;
  journal(group?: string): Promise<readonly JournalEntry[]>;
  /** Refusals of a group, or all, in order. */
  nacks(group?: string): Promise<readonly JournalEntry[]>;
  /** Waits for an entry of the journal; fails after 20 s. */
  until(fits: (entry: JournalEntry) => boolean, group?: string): Promise<JournalEntry>;
  stop(): Promise<void>;
}

export async function startControlPlane(binary: string, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const args = ['-xds', options.xds ?? '127.0.0.1:0', ...(options.ads ? ['-ads'] : [])];
  const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const { value, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (done) throw new Error('the control plane did not start');
  const { xds, admin } = JSON.parse(value) as { xds: string; admin: string };
  const ask = asker(admin);
  const journal = async (group?: string): Promise<readonly JournalEntry[]> =>
    ((await ask('GET', '/journal', group)) as { entries: readonly JournalEntry[] }).entries;
  return {
    xds,
    async serve(resources, group, version) {
      await ask('PUT', '/snapshot', group, { resources, ...(version !== undefined && { version }) });
    },
    async askLoads(asked, group) {
      await ask('POST', '/loads', group, asked);
    },
    drop: async (group) => ((await ask('POST', '/drop', group)) as { streams: number }).streams,
    journal,
    nacks: async (group) => (await journal(group)).filter(({ error }) => error !== undefined),
    until: (fits, group) => untilEntry(() => journal(group), fits),
    stop: () => endProcess(child),
  };
}

function asker(admin: string) {
  return async (method: string, where: string, group: string | undefined, body?: unknown): Promise<unknown> => {
    const query = group === undefined ? '' : `?for=${encodeURIComponent(group)}`;
    const answer = await fetch(`http://${admin}${where}${query}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`the control plane refuses ${where}: ${await answer.text()}`);
    return answer.json();
  };
}

const LONGEST_WAIT_MS = 20_000;

async function untilEntry(
  read: () => Promise<readonly JournalEntry[]>,
  fits: (entry: JournalEntry) => boolean,
): Promise<JournalEntry> {
  for (let waitedMs = 0; waitedMs < LONGEST_WAIT_MS; waitedMs += 20) {
    const found = (await read()).find(fits);
    if (found) return found;
    await delay(20);
  }
  throw new Error(`no such entry: ${JSON.stringify((await read()).slice(-20))}`);
}
