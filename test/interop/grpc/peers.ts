import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { idOf, type World } from '../../harness/secure-world.ts';
import { findGrpcioPython } from '../grpc-peers/grpcio.ts';
import { bootstrap, type Files, issue } from '../identity-live/certificate-files.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** How an implementation's interop program is started; undefined: it cannot be had here. */
export type Implementation = readonly string[] | undefined;

const grpcGo = buildGoPeer('interop');
const python = findGrpcioPython();

export const IMPLEMENTATIONS: readonly (readonly [name: string, command: Implementation])[] = [
  ['grpc-go', grpcGo === undefined ? undefined : [grpcGo]],
  ['grpcio', python === undefined ? undefined : [python, path.join(HERE, 'peer.py')]],
];

/** `secure`: by mutual TLS with these certificates; both clients and grpc-go's server by xDS, with the bootstrap. */
export type Way =
  | { readonly kind: 'plain' }
  | { readonly kind: 'secure'; readonly files: Files; readonly bootstrap: object };

function environment(way: Way): NodeJS.ProcessEnv {
  if (way.kind === 'plain') return process.env;
  const { certificate_file, private_key_file, ca_certificate_file } = way.files;
  return {
    ...process.env,
    GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(way.bootstrap),
    INTEROP_TLS: [certificate_file, private_key_file, ca_certificate_file].join(path.delimiter),
  };
}

export async function secureWay(world: World, account: string): Promise<Way> {
  const files = await issue(world, idOf(account), account);
  return { kind: 'secure', files, bootstrap: bootstrap(world, account, files, false) };
}

export interface InteropServer {
  readonly port: number;
  stop(): void;
}

function start(command: Implementation, role: 'serve' | 'call', way: Way, where: string) {
  const [file = '', ...args] = command ?? [];
  const child: ChildProcess = spawn(file, [...args, role, way.kind, where], {
    env: environment(way),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-5_000);
  });
  return { child, log: () => log, lines: createInterface({ input: child.stdout as NodeJS.ReadableStream }) };
}

export async function startServer(command: Implementation, way: Way, address: string): Promise<InteropServer> {
  const { child, lines, log } = start(command, 'serve', way, address);
  const port = await new Promise<number>((resolve, reject) => {
    lines.once('line', (line) => resolve(Number(line)));
    child.once('exit', (code) => reject(new Error(`the interop server ended with ${code}: ${log()}`)));
  });
  return { port, stop: () => child.kill('SIGKILL') };
}

/** The names of the cases that went well, in order; and what was said where one did not. */
export async function runClient(command: Implementation, way: Way, target: string): Promise<readonly string[]> {
  const { child, lines, log } = start(command, 'call', way, target);
  const done: string[] = [];
  lines.on('line', (line) => done.push(line));
  const [code] = await new Promise<[code: number | null]>((resolve) => {
    child.once('close', (ended) => resolve([ended]));
  });
  return code === 0 ? done : [...done, log()];
}

/** Those that the clients of both implementations have, in their order. */
export const CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
];
