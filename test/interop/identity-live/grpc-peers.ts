import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { attempt, buildGoPeer, PEER_CACHE } from '../../harness/go-peer.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const GRPCIO_VERSION = '1.85.1';

/** How a gRPC implementation is started; undefined: it cannot be had here. */
export type Implementation = readonly string[] | undefined;

export function buildGrpcGo(): Implementation {
  const binary = buildGoPeer('grpc-peer', path.join(HERE, 'peer-go'));
  return binary === undefined ? undefined : [binary];
}

/** grpcio, in a virtual environment of its own. */
export function findGrpcio(): Implementation {
  const venv = path.join(PEER_CACHE, `grpcio-${GRPCIO_VERSION}`);
  const python = path.join(venv, 'bin/python');
  const isThere = (): boolean => attempt(python, ['-c', 'import grpc; grpc.xds_server_credentials']);
  if (!isThere()) {
    attempt('python3', ['-m', 'venv', venv]);
    attempt(python, ['-m', 'pip', 'install', '-q', `grpcio==${GRPCIO_VERSION}`]);
    if (!isThere()) return undefined;
  }
  return [python, path.join(HERE, 'peer.py')];
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
