import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CACHE = process.env.INMESH_CACHE ?? path.join(os.homedir(), '.cache', 'inmesh');
const GRPCIO_VERSION = '1.85.1';

/** How a gRPC implementation is started; undefined: it cannot be had here. */
export type Implementation = readonly string[] | undefined;

/** grpc-go, built once for its sources and kept. */
export function buildGrpcGo(): Implementation {
  const sources = path.join(HERE, 'peer-go');
  const go = ['go', '/usr/local/go/bin/go'].find((name) => attempt(name, ['version']));
  if (go === undefined) return undefined;
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(path.join(sources, file)));
  const binary = path.join(CACHE, 'go', `grpc-peer-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return [binary];
  mkdirSync(path.dirname(binary), { recursive: true });
  const fresh = `${binary}.${process.pid}`;
  if (!attempt(go, ['build', '-buildvcs=false', '-trimpath', '-o', fresh, '.'], sources)) return undefined;
  renameSync(fresh, binary);
  return [binary];
}

/** grpcio, in a virtual environment of its own. */
export function findGrpcio(): Implementation {
  const venv = path.join(CACHE, `grpcio-${GRPCIO_VERSION}`);
  const python = path.join(venv, 'bin/python');
  const isThere = (): boolean => attempt(python, ['-c', 'import grpc; grpc.xds_server_credentials']);
  if (!isThere()) {
    attempt('python3', ['-m', 'venv', venv]);
    attempt(python, ['-m', 'pip', 'install', '-q', `grpcio==${GRPCIO_VERSION}`]);
    if (!isThere()) return undefined;
  }
  return [python, path.join(HERE, 'peer.py')];
}

function attempt(file: string, args: readonly string[], cwd = HERE): boolean {
  try {
    execFileSync(file, args, { cwd, env: { ...process.env, CGO_ENABLED: '0' }, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface PeerEvent {
  readonly event: 'serving' | 'away' | 'answered' | 'failed' | 'error';
  readonly text: string;
}

export interface GrpcPeer {
  /** The next it says. */
  next(): Promise<PeerEvent>;
  /** One call of a client. */
  call(): Promise<PeerEvent>;
  /** The end of what it has logged. */
  log(): string;
  stop(): Promise<void>;
}

export function startGrpcPeer(
  [file = '', ...args]: readonly string[],
  role: 'serve' | 'call',
  where: string,
  bootstrap: object,
): GrpcPeer {
  const env = { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) };
  const child = spawn(file, [...args, role, where], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-20_000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<PeerEvent> => {
    const { value, done } = await lines.next();
    return done ? { event: 'error', text: `it has ended: ${log}` } : JSON.parse(value);
  };
  return {
    next,
    call() {
      child.stdin.write('call\n');
      return next();
    },
    log: () => log,
    stop: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
