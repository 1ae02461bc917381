import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '@bufbuild/protobuf';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { inTime } from '../envoy-policy/in-time.ts';
import { findGrpcio } from '../identity-live/grpc-peers.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

export type ClientKind = 'go' | 'core' | 'node' | 'ours';

/** What came of a call. */
export interface Reply {
  readonly code: number;
  readonly details: string;
  /** JSON of what the host saw. */
  readonly body: string;
}

export interface CallOrder {
  readonly path: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly timeoutMs: number;
  readonly wait: boolean;
}

export interface ChannelOrder {
  readonly bootstrap: JsonObject;
  readonly target: string;
  readonly tls: boolean;
}

/** A gRPC client of some implementation. */
export interface GrpcClient {
  open(order: ChannelOrder): Promise<GrpcChannel>;
  stop(): Promise<void>;
}

export interface GrpcChannel {
  call(order: CallOrder): Promise<Reply>;
  close(): Promise<void>;
}

/** Codes of a reply that did not come: the process has ended, or does nothing any more. */
export const DIED = -1;
export const STUCK = -2;

/** How long after its deadline a call is waited for. */
const PATIENCE_MS = 10_000;

/** Commands of the peers that can be had here. */
export function findPeers(): ReadonlyMap<ClientKind, readonly string[]> {
  const peers = new Map<ClientKind, readonly string[]>();
  const go = buildGoPeer('grpc-differential', path.join(HERE, 'client-go'));
  if (go !== undefined) peers.set('go', [go]);
  const [python] = findGrpcio() ?? [];
  if (python !== undefined) peers.set('core', [python, path.join(HERE, 'client.py')]);
  peers.set('node', [process.execPath, '--disable-warning=ExperimentalWarning', path.join(HERE, 'client-node.ts')]);
  return peers;
}

/** One process for many channels; where it has ended, the next channel starts another. */
export function processClient([file = '', ...args]: readonly string[]): GrpcClient {
  let running: Running | undefined;
  let channels = 0;
  return {
    async open(order) {
      if (running === undefined || running.hasEnded()) running = start(file, args);
      const own = running;
      const channel = `c${++channels}`;
      const opened = await own.ask({ do: 'open', channel, ...order });
      if (opened.code !== 0) throw new Error(`the channel was not opened: ${opened.details}`);
      return {
        call: (call) => own.ask({ do: 'call', channel, ...call }, call.timeoutMs),
        close: async () => void (await own.ask({ do: 'close', channel })),
      };
    },
    stop: async () => running?.stop(),
  };
}

interface Running {
  ask(order: object, timeoutMs?: number): Promise<Reply>;
  hasEnded(): boolean;
  stop(): Promise<void>;
}

function start(file: string, args: readonly string[]): Running {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, (reply: Reply) => void>();
  let ending: number | undefined;
  let log = '';
  let orders = 0;
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-2_000);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ...reply } = JSON.parse(line) as Reply & { id: number };
    waiting.get(id)?.(reply);
    waiting.delete(id);
  });
  const end = (code: number): void => {
    ending ??= code;
    for (const done of waiting.values()) done({ code: ending, details: log, body: '' });
    waiting.clear();
  };
  child.once('close', () => end(DIED));
  return {
    async ask(order, timeoutMs = 0) {
      if (ending !== undefined) return { code: ending, details: log, body: '' };
      const id = ++orders;
      child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
      const replied = new Promise<Reply>((resolve) => waiting.set(id, resolve));
      const reply = await inTime(replied, timeoutMs + PATIENCE_MS);
      if (reply) return reply.value;
      child.kill('SIGKILL');
      end(STUCK);
      return { code: STUCK, details: log, body: '' };
    },
    hasEnded: () => ending !== undefined,
    stop: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
