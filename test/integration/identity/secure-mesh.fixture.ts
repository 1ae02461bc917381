import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { createMesh, type IdentityOptions, type Mesh, type MeshEvent } from '../../../sdk/src/index.ts';
import { type Guarded, guard, peerOf } from '../../../sdk/src/server/index.ts';
import type { XdsServer } from '../../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { memorySource } from '../../../xds-server/src/source/memory.ts';

export const STRICT = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { ports: [{ name: http, port: 9080 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`;
export const REVIEWS = 'http://reviews.shop:9080/';
export const idOf = (account: string): string => `spiffe://cluster.local/ns/shop/sa/${account}`;

/** Processes that reach their control plane as those on other machines do: over TLS, with a token. */
export interface SecureMesh {
  readonly directory: string;
  readonly server: XdsServer;
  /** Another process, of this service account. */
  process(account: string, identity?: IdentityOptions, proof?: Proof): Promise<Process>;
  /** `reviews`, a guarded server that answers with its caller's id. */
  reviews(process: Process): Promise<Guarded>;
  /** The control plane ends; its keys stay where they are. */
  stop(): Promise<void>;
  /** Another one on the same port, with the same keys. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** What it shows at first: a token good for this long, or none. */
interface Proof {
  readonly token?: false;
  readonly tokenMs?: number;
}

interface Process {
  readonly mesh: Mesh;
  readonly events: MeshEvent[];
  /** Certificates and roots it has had. */
  rotations(): number;
}

export async function startSecureMesh(): Promise<SecureMesh> {
  const directory = mkdtempSync(path.join(tmpdir(), 'inmesh-ca-'));
  const rootsFile = path.join(directory, 'trusted.pem');
  const closers: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const open = async (secure: string) => {
    const server = createXdsServer({ source: memorySource(STRICT), ca: { directory: path.join(directory, 'ca') } });
    return { server, address: (await server.listen({ secure })).secure };
  };
  let { server, address } = await open('127.0.0.1:0');
  writeFileSync(rootsFile, (await server.roots()).join('\n'));
  return {
    directory,
    get server() {
      return server;
    },
    async process(account, identity = {}, { token: wants, tokenMs = 86_400_000 } = {}) {
      const token =
        wants === false ? undefined : await server.token({ namespace: 'shop', serviceAccount: account }, tokenMs);
      const mesh = createMesh(
        {
          xds: `tls://${address}`,
          workload: account,
          identity: { ...(token !== undefined && { token }), caRoot: rootsFile, ...identity },
        },
        { env: {} },
      );
      const events: MeshEvent[] = [];
      mesh.on((event) => events.push(event));
      closers.push(() => mesh.close());
      return { mesh, events, rotations: () => events.filter(({ kind }) => kind === 'identity-rotated').length };
    },
    async reviews({ mesh }) {
      const app = createServer((request, response) => response.end(peerOf(request)?.id));
      const guarded = guard(app, { mesh, service: 'reviews', host: '127.0.0.1' });
      closers.push(() => guarded.close({ graceMs: 0 }));
      await guarded.listen(0);
      return guarded;
    },
    stop: () => server.close(),
    async restart() {
      ({ server, address } = await open(address));
    },
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
      await server.close();
    },
  };
}

/** Waits for a condition, not for a time. */
export const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 20 });

/** Calls until it is told to end; each that went wrong, in words. */
export function keepCalling(
  mesh: Mesh,
  { callers, pauseMs = 0 }: { readonly callers: number; readonly pauseMs?: number },
) {
  const wrong: string[] = [];
  let calls = 0;
  let isOver = false;
  const one = async (): Promise<void> => {
    while (!isOver) {
      try {
        const response = await mesh.fetch(REVIEWS);
        const text = await response.text();
        if (response.status !== 200) wrong.push(`${response.status} ${text}`);
      } catch (error) {
        wrong.push(String(error));
      }
      calls += 1;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const all = Promise.all(Array.from({ length: callers }, one));
  return {
    wrong,
    count: () => calls,
    async end() {
      isOver = true;
      await all;
    },
  };
}
