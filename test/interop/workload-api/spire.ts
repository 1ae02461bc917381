import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A SPIRE server and its agent on this machine, for this user's processes. */
export interface Spire {
  /** For SPIFFE_ENDPOINT_SOCKET. */
  readonly socket: string;
  /** A command of spire-server; what it writes. */
  server(...words: readonly string[]): string;
  stop(): Promise<void>;
}

export const TRUST_DOMAIN = 'spire.test';
const AGENT = `spiffe://${TRUST_DOMAIN}/agent`;

/**
 * The folder with `spire-server` and `spire-agent`: INMESH_SPIRE. Building them takes a quarter of an hour (Go module
 * github.com/spiffe/spire), so no test does it by itself.
 */
export function findSpire(): string | undefined {
  const folder = process.env.INMESH_SPIRE;
  return folder !== undefined && existsSync(path.join(folder, 'spire-server')) ? folder : undefined;
}

export async function startSpire(binaries: string): Promise<Spire> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spire-'));
  const at = (name: string): string => path.join(folder, name);
  const running: ChildProcess[] = [];
  let log = '';
  const run = (name: string, ...words: readonly string[]): void => {
    const child = spawn(path.join(binaries, name), words, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        log = (log + text).slice(-10_000);
      });
    }
    running.push(child);
  };
  const server = (...words: readonly string[]): string =>
    execFileSync(path.join(binaries, 'spire-server'), [...words, '-socketPath', at('server.sock')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (let count = 0; count < 600; count++) {
      if (holds()) return;
      if (running.some(({ exitCode }) => exitCode !== null)) break;
      await delay(100);
    }
    throw new Error(`${what} did not come up:\n${log}`);
  };
  const works = (...words: readonly string[]) => {
    return (): boolean => {
      try {
        server(...words);
        return true;
      } catch {
        return false;
      }
    };
  };

  const port = await freePort();
  writeFileSync(at('server.conf'), serverConfig(port, at('server.sock'), at('data')));
  run('spire-server', 'run', '-config', at('server.conf'));
  await until('spire-server', works('healthcheck'));
  writeFileSync(at('bundle.pem'), server('bundle', 'show'));
  const token = /Token: (\S+)/.exec(server('token', 'generate', '-spiffeID', AGENT))?.[1] ?? '';
  writeFileSync(at('agent.conf'), agentConfig(port, at('agent.sock'), at('agent'), at('bundle.pem')));
  run('spire-agent', 'run', '-config', at('agent.conf'), '-joinToken', token);
  await until('spire-agent', () => existsSync(at('agent.sock')));
  return {
    socket: `unix://${at('agent.sock')}`,
    server,
    async stop() {
      for (const child of running) child.kill('SIGKILL');
      await until('nothing', () => true);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The process that runs this test is `id` from now on; its certificates last so long. */
export function register(spire: Spire, id: string, seconds: number, ...more: readonly string[]): void {
  const uid = process.getuid?.() ?? 0;
  const ttl = ['-x509SVIDTTL', String(seconds)];
  spire.server('entry', 'create', '-parentID', AGENT, '-spiffeID', id, '-selector', `unix:uid:${uid}`, ...ttl, ...more);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const serverConfig = (port: number, socket: string, data: string): string => `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${socket}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${data}"
  log_level = "WARN"
  ca_ttl = "1h"
  default_x509_svid_ttl = "10m"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${data}/datastore.sqlite3" } }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
}
`;

const agentConfig = (port: number, socket: string, data: string, bundle: string): string => `
agent {
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${socket}"
  trust_bundle_path = "${bundle}"
  trust_domain = "${TRUST_DOMAIN}"
  data_dir = "${data}"
  log_level = "WARN"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
