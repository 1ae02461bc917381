import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../../../sdk/src/call/call.fixture.ts';
import {
  chain,
  createConnectStage,
  deadPort,
  type Echo,
  greeting,
  startEcho,
} from '../../../sdk/src/connect/connect.fixture.ts';
import { connect } from '../../../sdk/src/connect/connect.ts';
import { findEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, type Json, linesOf, listenerOn, staticCluster, tcpProxy } from './tcp-proxy.ts';

/** One cluster and what its connections may do; `open` is how many are held open before the one that is looked at. */
interface Case {
  readonly name: string;
  readonly hosts: 'none' | 'dead' | 'alive';
  readonly attempts?: number;
  readonly maxConnections?: number;
  readonly maxPending?: number;
  readonly maxDurationMs?: number;
  readonly open?: number;
  /** Flags of the connection looked at; `-`: it stands. */
  readonly flags: string;
  /** Where ours differ: Envoy does not say what it is that was exceeded. */
  readonly own?: string;
}

const CASES: readonly Case[] = [
  { name: 'stands', hosts: 'alive', flags: '-' },
  { name: 'no-hosts', hosts: 'none', flags: 'UH' },
  { name: 'refused', hosts: 'dead', flags: 'UF,URX' },
  { name: 'refused-twice', hosts: 'dead', attempts: 2, flags: 'UF,URX' },
  { name: 'full', hosts: 'alive', maxConnections: 1, open: 1, flags: 'UO' },
  { name: 'not-full', hosts: 'alive', maxConnections: 2, open: 1, flags: '-' },
  { name: 'no-pending', hosts: 'alive', maxPending: 0, flags: 'URX', own: 'UO' },
  { name: 'too-long', hosts: 'alive', maxDurationMs: 50, flags: 'DT' },
];

const binary = findEnvoy();

describe.skipIf(binary === undefined)('connections beside live Envoy (TcpProxy): flags and bytes', () => {
  let echo: Echo;
  let dead: number;
  const live = new Map<string, string>();
  const own = new Map<string, string>();
  const portsOf = ({ hosts }: Case): number[] => (hosts === 'none' ? [] : [hosts === 'dead' ? dead : echo.port]);

  /** Says four bytes where it stands, and lets go; one with a longest time waits for it. */
  const use = async ({ maxDurationMs }: Case, socket: Socket): Promise<void> => {
    const closed = new Promise<undefined>((resolve) => socket.once('close', () => resolve(undefined)));
    socket.on('error', () => {});
    const said = await Promise.race([greeting(socket), closed]);
    if (said !== undefined && maxDurationMs === undefined) {
      const back = greeting(socket);
      socket.write('four');
      await back;
      socket.destroy();
    }
    await closed;
  };

  beforeAll(async () => {
    echo = await startEcho('hello');
    dead = await deadPort();
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-envoy-connect-'));
    const places = new Map<string, number>();
    for (const { name } of CASES) places.set(name, await freePort());
    const admin = await freePort();
    const logOf = (name: string): string => path.join(folder, name);
    const listeners = CASES.map(({ name, attempts, maxDurationMs }) => {
      const more: Json = {
        ...(attempts && { max_connect_attempts: attempts }),
        ...(maxDurationMs && { max_downstream_connection_duration: `${maxDurationMs / 1_000}s` }),
      };
      return listenerOn(places.get(name) ?? 0, { filters: [tcpProxy(name, logOf(name), more)] });
    });
    const clusters = CASES.map((one) => {
      const { maxConnections, maxPending } = one;
      const threshold = {
        ...(maxConnections !== undefined && { max_connections: maxConnections }),
        ...(maxPending !== undefined && { max_pending_requests: maxPending }),
      };
      return staticCluster(one.name, portsOf(one), { circuit_breakers: { thresholds: [threshold] } });
    });
    const envoy = await startEnvoy(binary ?? '', bootstrap(admin, listeners, clusters), admin);
    for (const one of CASES) {
      const dial = async (): Promise<Socket> => connectTcp(places.get(one.name) ?? 0, '127.0.0.1');
      const held: Socket[] = [];
      for (let count = one.open ?? 0; count > 0; count--) {
        const socket = await dial();
        await greeting(socket);
        held.push(socket);
      }
      await use(one, await dial());
      for (const socket of held) socket.destroy();
    }
    await envoy.stop();
    // The one looked at ends first.
    for (const { name } of CASES) live.set(name, linesOf(logOf(name))[0] ?? '');
    rmSync(folder, { recursive: true });
    for (const one of CASES) own.set(one.name, await ours(one));
  });
  afterAll(() => echo?.close());

  async function ours(one: Case): Promise<string> {
    const { name, attempts, maxConnections, maxPending, maxDurationMs } = one;
    const stage = createConnectStage();
    const limits = {
      ...(maxConnections !== undefined && { maxConnections }),
      ...(maxPending !== undefined && { maxPendingRequests: maxPending }),
    };
    const terms = {
      ...(attempts !== undefined && { connectAttempts: attempts }),
      ...(maxDurationMs !== undefined && { maxDurationMs }),
    };
    await stage.serve(
      { chains: [chain({ [name]: 1 }, terms)] },
      { [name]: cluster(name, portsOf(one), { circuitBreakers: { default: limits, high: {} } }) },
    );
    const dial = () => connect(stage.runtime, { host: 'db', port: 5432 });
    const held = await Promise.all(Array.from({ length: one.open ?? 0 }, dial));
    const socket = await dial().catch(() => undefined);
    if (socket !== undefined) await use(one, socket);
    const [story] = stage.events.flatMap((event) => (event.kind === 'connection' ? event.story : []));
    for (const other of held) {
      other.destroy();
      await once(other, 'close');
    }
    return `${story?.flags.join(',') || '-'} ${story?.bytesOut} ${story?.bytesIn}`;
  }

  it.each(CASES)('$name: $flags', ({ name, flags, own: differing = flags }) => {
    const [seen, ...bytes] = live.get(name)?.split(' ') ?? [];
    expect(seen).toBe(flags);
    expect(own.get(name)).toBe([differing, ...bytes].join(' '));
  });
});
