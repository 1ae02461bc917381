import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { targetConfig } from '../call/call.fixture.ts';
import { createLiveTargets, type LiveTarget } from '../call/live-target.ts';
import { systemClock, systemTurn } from '../clock.ts';
import type { TargetState } from '../config/targets.ts';
import { createSecureTransports } from '../connection/secure-transports.ts';
import type { Identity } from '../identity/identity.ts';
import { createNoIdentity } from '../identity/no-identity.ts';
import { NO_SECRETS } from '../identity/secrets.ts';
import type { MeshEvent } from '../model/events.ts';
import type { ConnectionChain, ConnectionTable } from '../model/l4.ts';
import type { ClusterState } from '../model/target.ts';
import type { ConnectRuntime } from './runtime.ts';

/** A server that greets with its name and says everything back. */
export interface Echo {
  readonly port: number;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

export async function startEcho(name: string, server: Server = createServer()): Promise<Echo> {
  const sockets = new Set<Socket>();
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A port where nobody listens. */
export async function deadPort(): Promise<number> {
  const echo = await startEcho('');
  await echo.close();
  return echo.port;
}

export const chain = (
  clusters: Readonly<Record<string, number>>,
  more: Partial<ConnectionChain> = {},
): ConnectionChain => ({
  serverNames: [],
  destinations: [],
  clusters: Object.entries(clusters).map(([cluster, weight]) => ({ cluster, weight })),
  idleTimeoutMs: 0,
  connectAttempts: 1,
  hashSourceIp: false,
  ...more,
});

export interface ConnectStage {
  readonly runtime: ConnectRuntime & { outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY'; random: () => number };
  readonly events: MeshEvent[];
  /** The next look-up finds it. */
  state: TargetState<LiveTarget>;
  /** What `db:5432` is from now on. */
  serve(table: ConnectionTable | undefined, clusters: Readonly<Record<string, ClusterState>>): Promise<LiveTarget>;
}

export function createConnectStage(identity: Identity = createNoIdentity()): ConnectStage {
  const events: MeshEvent[] = [];
  const emit = (event: MeshEvent): void => {
    events.push(event);
  };
  const secure = createSecureTransports({
    clock: systemClock,
    turn: systemTurn,
    identity,
    secrets: NO_SECRETS,
  });
  const targets = createLiveTargets({ clock: systemClock, random: () => 0, emit });
  const stage: ConnectStage = {
    events,
    state: { kind: 'absent', reason: 'unknown' },
    runtime: {
      clock: systemClock,
      turn: systemTurn,
      random: () => 0,
      emit,
      outboundPolicy: 'ALLOW_ANY',
      configTimeoutMs: 1_000,
      sourceIp: () => '192.0.2.7',
      secure: () => secure,
      lookupConnection: () => stage.state,
    },
    async serve(connections, clusters) {
      const config = { ...targetConfig([], clusters), target: 'db:5432' };
      const listener = { ...config.listener, ...(connections && { connections }) };
      const value = await targets.prepare({ ...config, listener });
      stage.state = { kind: 'ready', value, config: value.config };
      return value;
    },
  };
  return stage;
}

/** The first line a socket says. */
export const greeting = (socket: { once(event: 'data', run: (chunk: Buffer) => void): unknown }): Promise<string> =>
  new Promise((resolve) => socket.once('data', (chunk) => resolve(chunk.toString().trim())));
