import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { endProcess } from '../../harness/child-process.ts';

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
  readonly waitForReady?: boolean;
  readonly count?: number;
  readonly parallel?: number;
}

export interface PeerChannel {
  /** `xds` ones do as the control plane says, `insecure` ones never encrypt. */
  readonly credentials?: 'insecure' | 'xds';
  /** In the place of the process's; grpc-java has none but that. */
  readonly bootstrap?: object;
}

/** A gRPC client in a process of its own. */
export interface Peer {
  readonly version: string;
  /** A channel by a name of ours. */
  open(channel: string, target: string, options?: PeerChannel): Promise<void>;
  call(channel: string, call?: PeerCall): Promise<readonly PeerAnswer[]>;
  close(channel: string): Promise<void>;
  /** What it has logged so far (the end of it). */
  log(): string;
  /** How it ended, where it did so by itself. */
  crash(): string | undefined;
  hasEnded(): boolean;
  stop(): Promise<void>;
}

export interface PeerStart {
  /** Of every channel that has none of its own. */
  readonly bootstrap?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** How much of its log is kept, in characters. */
  readonly logLimit?: number;
}

export const METHOD = '/echo.Echo/Say';

/** Resolves when it takes commands. */
export async function startPeer([file = '', ...args]: readonly string[], start: PeerStart): Promise<Peer> {
  const { bootstrap, env = {}, logLimit = 4_000_000 } = start;
  const child = spawn(file, args, {
    env: { ...process.env, ...env, ...(bootstrap && { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) }) },
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
    open: async (channel, target, options) => {
      await send({ do: 'open', channel, target, ...options });
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
    hasEnded: () => isStopped || crashed !== undefined,
    stop: () => {
      isStopped = true;
      return endProcess(child);
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
  let failure: Error | undefined;
  return {
    send(command: object): Promise<Told> {
      if (failure) return Promise.reject(failure);
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
      failure = error;
      for (const answer of waiting.values()) answer.reject(error);
      waiting.clear();
    },
  };
}
