import 'reflect-metadata';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { createTestIdentity } from '../../../test/harness/test-identity.ts';
import { createBundles } from '../identity/bundles.ts';
import { currentInbound } from '../propagation/store.ts';
import type { Guardable } from './app-server.ts';
import { listenerOfMode } from './chain.ts';
import { guardWith } from './guard.ts';
import type { GuardOptions } from './options.ts';
import { type PeerSource, peerOf } from './peer.ts';
import { ask, createSide, fate, PRODUCTPAGE, plain, REVIEWS, secure } from './server.fixture.ts';

/** Express ships no types of its own. */
interface Express {
  (request: IncomingMessage, response: ServerResponse): void;
  get(path: string, answer: (request: PeerSource, response: { send(text: string): void }) => unknown): this;
  listen(port: number, host: string): Server;
}
/** Hono's types are written for the browser's. */
interface Hono {
  readonly fetch: unknown;
  get(path: string, answer: (context: PeerSource & { text(text: string): unknown }) => unknown): this;
}
interface HonoOnNode {
  createAdaptorServer(options: { readonly fetch: unknown }): Server;
  serve(options: { readonly fetch: unknown; readonly port: number; readonly hostname: string }): Server;
}
const require = createRequire(import.meta.url);
const express = require('express') as () => Express;
const { Hono } = require('hono') as { readonly Hono: new () => Hono };
const { createAdaptorServer, serve } = require('@hono/node-server') as HonoOnNode;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Who asks, by what the framework gives its application, and what goes along with calls made there. */
const story = async (source: PeerSource): Promise<string> => {
  await new Promise((resolve) => setImmediate(resolve));
  return `${peerOf(source)?.id} ${currentInbound()?.headers.join(' ')}`;
};

async function strict() {
  const ca = await createTestCa();
  const bundles = createBundles([['cluster.local', [ca.pem]]]);
  const side = createSide(createTestIdentity({ certificate: await ca.issue({ uris: [REVIEWS] }), bundles }));
  side.listen(listenerOfMode('STRICT', '127.0.0.1', 0));
  const caller = await ca.issue({ uris: [PRODUCTPAGE] });
  return {
    guard(app: Guardable, options: GuardOptions = {}) {
      const guarded = guardWith(side, app, options);
      closers.push(() => guarded.close({ graceMs: 0 }));
      return guarded;
    },
    /** What a peer of the mesh gets, and that nobody else gets anything. */
    async check(port: number) {
      const socket = await secure({ port, ca }, caller);
      const { text } = await ask(socket, { headers: { 'x-request-id': 'r1' } });
      expect(text).toBe(`${PRODUCTPAGE} x-request-id r1`);
      socket.destroy();
      const outside = await plain(port);
      outside.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      expect(await fate(outside)).toBe('closed');
    },
  };
}

const listeningOf = (server: Server) => (server.address() as AddressInfo).port;
const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => server.once('listening', () => resolve(listeningOf(server))));

describe('guard takes', () => {
  it('Express: the application, or the server that it listens with', async () => {
    const mesh = await strict();
    const app = express().get('/', async (request, response) => {
      response.send(await story(request));
    });
    await mesh.check((await mesh.guard(app).listen({ port: 0, host: '127.0.0.1' })).port);
    const server = app.listen(0, '127.0.0.1');
    mesh.guard(server);
    await mesh.check(await listening(server));
  });

  it('Fastify: the instance, or each server that it makes', async () => {
    const mesh = await strict();
    const app = fastify();
    app.get('/', (request) => story(request));
    await mesh.check((await mesh.guard(app).listen({ port: 0, host: '127.0.0.1' })).port);
    const own = fastify({ serverFactory: (handle) => mesh.guard(createServer(handle)).server as Server });
    own.get('/', (request) => story(request));
    // `localhost` makes Fastify listen with a server for each of its addresses.
    await own.listen({ port: 0, host: 'localhost' });
    closers.push(() => own.close());
    await mesh.check(listeningOf(own.server));
  });

  it('Fastify over HTTP/2 as well', async () => {
    const mesh = await strict();
    const app = fastify({ http2: true });
    app.get('/', (request) => story(request));
    const { port } = await mesh.guard(app as unknown as Guardable).listen({ port: 0, host: '127.0.0.1' });
    expect(port).toBeGreaterThan(0);
    const outside = http2.connect(`http://127.0.0.1:${port}`);
    await new Promise<void>((resolve) => outside.once('error', () => resolve()).once('close', () => resolve()));
  });

  it('Hono: the server of its adaptor', async () => {
    const mesh = await strict();
    const app = new Hono();
    app.get('/', async (context) => context.text(await story(context)));
    const adaptor = createAdaptorServer({ fetch: app.fetch });
    await mesh.check((await mesh.guard(adaptor).listen({ port: 0, host: '127.0.0.1' })).port);
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    mesh.guard(server);
    await mesh.check(await listening(server));
  });

  it('Nest: the application, or its server when Nest listens', async () => {
    class Root {
      get(request: PeerSource): Promise<string> {
        return story(request);
      }
    }
    // Decorators by hand: they are no part of the language as it is run here.
    Get()(Root.prototype, 'get', Object.getOwnPropertyDescriptor(Root.prototype, 'get') as PropertyDescriptor);
    Req()(Root.prototype, 'get', 0);
    Controller()(Root);
    class App {}
    Module({ controllers: [Root] })(App);
    const mesh = await strict();
    const app = await NestFactory.create(App, { logger: false });
    await mesh.check((await mesh.guard(app).listen({ port: 0, host: '127.0.0.1' })).port);
    const other = await NestFactory.create(App, { logger: false });
    mesh.guard(other.getHttpServer() as Server);
    await other.listen(0, '127.0.0.1');
    closers.push(() => other.close());
    await mesh.check(listeningOf(other.getHttpServer() as Server));
  });

  it('nothing else, and no server twice', async () => {
    const mesh = await strict();
    expect(() => mesh.guard({ fetch() {} } as never)).toThrow(/MESH_CONFIG_INVALID.*an object with fetch/);
    const server = createServer();
    mesh.guard(server);
    expect(() => mesh.guard(server)).toThrow('guarded already');
  });
});
