/** A server process of its own: one application behind four doors, with and without mutual TLS, with and without a guard. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { createMesh } from '@inmesh/sdk';
import { guard } from '@inmesh/sdk/server';
import type { OwnCertificate } from './workload-certificates.ts';

export interface OriginTask {
  /** `tls://host:port` of the control plane. */
  readonly xds: string;
  readonly token: string;
  readonly rootsFile: string;
  readonly certificate: OwnCertificate;
}

export interface OriginPorts {
  /** Guarded: mutual TLS and nothing else. */
  readonly secure: number;
  /** Guarded: plain text. */
  readonly open: number;
  /** Node's own: mutual TLS, plain text. */
  readonly tls: number;
  readonly plain: number;
}

export type OriginMessage = { readonly ports: OriginPorts } | { readonly rssBytes: number };

const SMALL = Buffer.from(JSON.stringify({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 }, note: 'x'.repeat(45) }));
const BULK = Buffer.alloc(65_536, 'x');
const KEPT_MS = 75_000;
const ROUNDS_OF_COLLECTION = 10;

/** Answers that are held back until somebody asks for /release. */
const held: (() => void)[] = [];

const answer: RequestListener = (request, response) => {
  const body = request.url === '/bulk' ? BULK : SMALL;
  const reply = (): void => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  };
  if (request.url === '/hold') {
    response.writeHead(200).flushHeaders();
    held.push(() => response.end(SMALL));
    return;
  }
  if (request.url === '/release') for (const release of held.splice(0)) release();
  if (request.method === 'POST') request.resume().once('end', reply);
  else reply();
};

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function start({ xds, token, rootsFile, certificate }: OriginTask): Promise<OriginPorts> {
  const mesh = createMesh({ xds, workload: 'reviews', identity: { token, caRoot: rootsFile } }, { env: {} });
  const here = { port: 0, host: '127.0.0.1' };
  const secure = await guard(createServer(answer), { mesh }).listen(here);
  // Without a control plane nobody asks for TLS.
  const open = await guard(createServer(answer), { mesh: createMesh({}, { env: {} }) }).listen(here);
  const { certificate: cert, key, roots: ca } = certificate;
  const tls = createSecureServer({ cert, key, ca, minVersion: 'TLSv1.3', requestCert: true }, answer);
  const plain = createServer(answer);
  for (const server of [tls, plain]) server.keepAliveTimeout = KEPT_MS;
  return { secure: secure.port, open: open.port, tls: await listening(tls), plain: await listening(plain) };
}

export async function residentBytes(): Promise<number> {
  for (let round = 0; round < ROUNDS_OF_COLLECTION; round++) {
    globalThis.gc?.();
    await delay(100);
  }
  return process.memoryUsage.rss();
}

process.on('message', async (task: OriginTask | 'memory') => {
  if (task === 'memory') process.send?.({ rssBytes: await residentBytes() });
  else process.send?.({ ports: await start(task) });
});
process.once('disconnect', () => process.exit());
