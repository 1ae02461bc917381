import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endProcess } from '../../harness/child-process.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { findGrpcioPython } from '../grpc-peers/grpcio.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** How a gRPC implementation is started; undefined: it cannot be had here. */
export type Implementation = readonly string[] | undefined;

export function buildGrpcGo(): Implementation {
  const binary = buildGoPeer('echo');
  return binary === undefined ? undefined : [binary];
}

export function findGrpcio(): Implementation {
  const python = findGrpcioPython();
  return python === undefined ? undefined : [python, path.join(HERE, 'peer.py')];
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
    stop: () => endProcess(child),
  };
}
