import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What one call came to. */
export interface PeerAnswer {
  /** By name: OK, UNAVAILABLE, … */
  readonly status: string;
  readonly body?: string;
  readonly message?: string;
  readonly ms: number;
  readonly trailers?: Readonly<Record<string, string>>;
}

export interface PeerCall {
  readonly method?: string;
  /** Binary ones in base64. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly deadlineMs?: number;
  readonly count?: number;
  readonly parallel?: number;
}

/** A gRPC client in a process of its own. */
export interface Peer {
  readonly version: string;
  /** A channel by a name of ours; `xds` credentials do as the control plane says, `insecure` ones never encrypt. */
  open(channel: string, target: string, credentials?: 'insecure' | 'xds'): Promise<void>;
  call(channel: string, call?: PeerCall): Promise<readonly PeerAnswer[]>;
  close(channel: string): Promise<void>;
  /** What it has logged so far (the end of it). */
  log(): string;
  /** How it ended, where it did so by itself. */
  crash(): string | undefined;
  stop(): Promise<void>;
}

export interface PeerStart {
  readonly bootstrap: object;
  readonly env?: Readonly<Record<string, string>>;
  /** How much of its log is kept, in characters. */
  readonly logLimit?: number;
}

export const METHOD = '/echo.Echo/Say';

/** Resolves when it takes commands. */
export async function startPeer([file = '', ...args]: readonly string[], start: PeerStart): Promise<Peer> {
  const { bootstrap, env = {}, logLimit = 4_000_000 } = start;
  const child = spawn(file, args, {
    env: { ...process.env, ...env, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-logLimit);
  });
  const ready = Promise.withResolvers<string>();
  const { send, take, fail } = exchange((text) => child.stdin.write(text));
  let crashed: string | undefined;
  let isStopped = false;
  child.on('error', (error) => ready.reject(error));
  // A client that is gone is told by the command it leaves unanswered.
  child.stdin.on('error', () => {});
  child.on('close', (code, signal) => {
    if (!isStopped) crashed = `it ended (${signal ?? code}): ${log.slice(-2_000)}`;
    ready.reject(new Error(crashed));
    fail(new Error(crashed ?? 'it was stopped'));
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line);
    if (told.ready === true) ready.resolve(String(told.version));
    else take(told);
  });
  const version = await ready.promise;
  return {
    version,
    open: async (channel, target, credentials = 'insecure') => {
      await send({ do: 'open', channel, target, credentials });
    },
    call: async (channel, call = {}) => {
      const { answers } = await send({ do: 'call', channel, method: METHOD, ...call });
      return answers ?? [];
    },
    close: async (channel) => {
      await send({ do: 'close', channel });
    },
    log: () => log,
    crash: () => crashed,
    stop: () => {
      isStopped = true;
      return ended(child);
    },
  };
}

interface Told {
  readonly id: number;
  readonly error?: string;
  readonly answers?: readonly PeerAnswer[];
}

/** Commands, and whose answer is whose. */
function exchange(write: (line: string) => void) {
  const waiting = new Map<number, PromiseWithResolvers<Told>>();
  let last = 0;
  return {
    send(command: object): Promise<Told> {
      const answer = Promise.withResolvers<Told>();
      waiting.set(++last, answer);
      write(`${JSON.stringify({ id: last, ...command })}\n`);
      return answer.promise;
    },
    take(told: Told): void {
      const answer = waiting.get(told.id);
      waiting.delete(told.id);
      if (told.error === undefined) answer?.resolve(told);
      else answer?.reject(new Error(told.error));
    },
    fail(error: Error): void {
      for (const answer of waiting.values()) answer.reject(error);
      waiting.clear();
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
