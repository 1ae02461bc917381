import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { FaultServerOptions } from '../../harness/fault-server.ts';

/** What a fault server has counted. */
interface Counts {
  readonly requests: number;
  readonly connectionsOpen: number;
}

/** What all of them have. */
interface Total {
  readonly requests: number;
  /** `name: count` of those with open connections. */
  readonly open: readonly string[];
}

/** The endpoints that the soak calls, and what they saw. */
export interface Upstreams extends AsyncDisposable {
  /** By name. */
  readonly ports: ReadonlyMap<string, number>;
  counts(): Promise<Total>;
}

const HTTP1: readonly FaultServerOptions[] = [
  { name: 'one-a' },
  { name: 'one-b', keepAlive: 'timeout=5' },
  { name: 'one-c', dropsAfter: 40 },
  { name: 'one-d', closesAfter: 25 },
  { name: 'one-e', idleMs: 300 },
  { name: 'one-f', connections: 'refuse' },
  { name: 'one-g', connections: 'close' },
];

const HTTP2: readonly FaultServerOptions[] = [
  { name: 'two-a', protocol: 'h2' },
  { name: 'two-b', protocol: 'h2', maxConcurrentStreams: 4 },
  { name: 'two-c', protocol: 'h2' },
];

const COPIES: readonly FaultServerOptions[] = [
  { name: 'copy-a', isMirror: true },
  { name: 'copy-b', isMirror: true, script: 'stall' },
  { name: 'copy-c', isMirror: true, script: 'reset' },
];

/** Endpoints of a host, by its name. */
export const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  one: HTTP1.map(({ name }) => name),
  two: HTTP2.map(({ name }) => name),
  copies: COPIES.map(({ name }) => name),
};

export async function startUpstreams(): Promise<Upstreams> {
  const servers = [...HTTP1, ...HTTP2, ...COPIES];
  const child = fork(new URL('./fault-process.ts', import.meta.url), { execArgv: [] });
  child.send(servers);
  const [ports] = (await once(child, 'message')) as [readonly number[]];
  return {
    ports: new Map(servers.map(({ name }, index) => [name, ports[index] ?? 0])),
    async counts() {
      child.send('counts');
      const [list] = (await once(child, 'message')) as [readonly Counts[]];
      return {
        requests: list.reduce((total, { requests }) => total + requests, 0),
        open: list.flatMap(({ connectionsOpen }, at) =>
          connectionsOpen === 0 ? [] : [`${servers[at]?.name}: ${connectionsOpen}`],
        ),
      };
    },
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
