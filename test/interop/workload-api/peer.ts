import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { buildGoPeer } from '../../harness/go-peer.ts';

/** One line of what the peer writes. */
export interface PeerEvent {
  readonly event: 'ready' | 'done' | 'sent' | 'accepted' | 'refused' | 'dialled';
  readonly port?: number;
  readonly id?: string;
  readonly heard?: string;
  readonly error?: string;
}

export interface Peer {
  /** For SPIFFE_ENDPOINT_SOCKET. */
  readonly socket: string;
  /** Its TLS port. */
  readonly port: number;
  tell(command: string): Promise<void>;
  /** The next such event, or one that nobody has asked for yet. */
  next(event: PeerEvent['event']): Promise<PeerEvent>;
  stop(): void;
}

/** The SPIFFE agent by go-spiffe. */
export const buildPeer = (): string | undefined => buildGoPeer('workload-api');

export async function startPeer(binary: string): Promise<Peer> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spiffe-'));
  const socket = path.join(folder, 'agent.sock');
  const child = spawn(binary, [socket], { stdio: ['pipe', 'pipe', 'pipe'] });
  const { next, tell } = converse(child);
  const { port = 0 } = await next('ready');
  return {
    socket: `unix://${socket}`,
    port,
    next,
    tell: async (command) => {
      tell(command);
      await next('done');
    },
    stop() {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function converse(child: ChildProcessWithoutNullStreams) {
  const heard: PeerEvent[] = [];
  let waiting: { event: string; resolve: (event: PeerEvent) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as PeerEvent;
    const one = waiting.find((wish) => wish.event === event.event);
    if (one === undefined) heard.push(event);
    else {
      waiting = waiting.filter((wish) => wish !== one);
      one.resolve(event);
    }
  });
  child.stderr.pipe(process.stderr);
  return {
    tell: (command: string): void => void child.stdin.write(`${command}\n`),
    next(event: PeerEvent['event']): Promise<PeerEvent> {
      const at = heard.findIndex((one) => one.event === event);
      const [found] = at < 0 ? [] : heard.splice(at, 1);
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve) => waiting.push({ event, resolve }));
    },
  };
}
