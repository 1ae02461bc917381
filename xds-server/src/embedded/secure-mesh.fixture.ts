import type { JsonObject } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { createXdsServer } from '../embedded.ts';
import { memorySource } from '../source/memory.ts';
import type { ListenOptions, XdsServerOptions } from './api.ts';
import { peerOf, type Shown } from './secure-peer.fixture.ts';

const YAML = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: private, namespace: shop, annotations: { networking.istio.io/exportTo: "." } }
spec: { ports: [{ name: http, port: 9080 }] }
`;
export const REVIEWS = 'reviews.shop.svc.cluster.local:9080';
export const PRIVATE = 'private.shop.svc.cluster.local:9080';

const closers: (() => unknown)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** A control plane with a CA and its two ports, and clients of it; `closeAll` ends them. */
export async function setUp(options: Partial<XdsServerOptions> = {}, ports: ListenOptions = {}) {
  const server = createXdsServer({ source: memorySource(YAML), ...options });
  closers.push(() => server.close());
  const told: string[] = [];
  server.onProblem((text) => told.push(text));
  const listening = await server.listen({ xds: '127.0.0.1:0', secure: '127.0.0.1:0', ...ports });
  const roots = await server.roots();
  const open = (address: string, shown: Shown) => {
    const peer = peerOf(address, shown);
    closers.push(() => peer.close());
    return peer;
  };
  return {
    server,
    told,
    listening,
    roots,
    open,
    tls: (shown: Shown = {}) => open(listening.secure, { roots, ...shown }),
    plain: (shown: Shown = {}) => open(listening.xds, shown),
    token: (namespace: string, serviceAccount: string, ttlMs?: number) =>
      server.token({ namespace, serviceAccount }, ttlMs),
  };
}

/** Waits for a condition, not for a time. */
export const until = (what: () => unknown) => expect.poll(what, { timeout: 20_000, interval: 20 });
export const node = (id: string, metadata: JsonObject = {}) => ({ id, metadata: { INMESH_KIND: 'sdk', ...metadata } });
export const envoy = (id: string) => ({ id, userAgentName: 'envoy' });
