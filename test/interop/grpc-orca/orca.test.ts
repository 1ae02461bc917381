import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClientSideWeightedRoundRobinSchema, WrrLocalitySchema } from '../../../sdk/gen/cluster.js';
import { type Stage, startStage } from '../../../sdk/src/grpc/policy.fixture.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { anyOf } from '../../harness/scripted-ads.ts';

/** Client-side weighted round robin (gRFC A58) by the load reports of grpc-go's own servers (package orca). */

const binary = buildGoPeer('orca');

const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
});

async function startServer(...args: string[]): Promise<{ readonly port: number }> {
  const child = spawn(binary ?? '', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  stops.push(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<number>((resolve, reject) => {
    lines.once('line', (line) => resolve(Number(line)));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { port };
}

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const weighted = (fields: object) => {
  const config = { blackoutPeriod: {}, weightUpdatePeriod: { nanos: 100_000_000 }, ...fields };
  const inner = anyOf(ClientSideWeightedRoundRobinSchema, config);
  const policies = { policies: [{ typedExtensionConfig: { name: 'wrr', typedConfig: inner } }] };
  const outer = anyOf(WrrLocalitySchema, { endpointPickingPolicy: policies });
  return { loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name: 'l', typedConfig: outer } }] } };
};

const asIs = (bytes: Buffer): Buffer => bytes;
const TURNS = 60;

async function sharesOf(peers: readonly { readonly port: number }[]): Promise<readonly number[]> {
  const client = stage.client();
  const counts = new Map<string, number>();
  for (let i = 0; i < TURNS; i++) {
    await new Promise<void>((resolve, reject) => {
      const path_ = '/grpc.testing.TestService/EmptyCall';
      const options = { deadline: Date.now() + 20_000 };
      const call = client.makeUnaryRequest(
        path_,
        asIs,
        asIs,
        Buffer.alloc(0),
        new grpc.Metadata(),
        options,
        (error) => {
          if (error !== null) reject(error);
          else resolve();
        },
      );
      call.on('status', () => counts.set(call.getPeer(), (counts.get(call.getPeer()) ?? 0) + 1));
    });
  }
  return peers.map(({ port }) => (counts.get(`127.0.0.1:${port}`) ?? 0) / TURNS);
}

/** Shares as they settle. */
async function expectShares(peers: readonly { readonly port: number }[], wanted: readonly number[]): Promise<void> {
  let found: readonly number[] = [];
  for (let i = 0; i < 100; i++) {
    found = await sharesOf(peers);
    if (found.every((share, index) => Math.abs(share - (wanted[index] ?? 0)) < 0.07)) return;
  }
  expect(found).toEqual(wanted);
}

describe.skipIf(binary === undefined)('the load that servers of grpc-go report (skipped where there is no Go)', () => {
  it.each([
    ['with each answer', [], {}],
    ['out of band', ['--oob'], { enableOobLoadReport: true }],
  ])('%s weighs them', async (_, flags, fields) => {
    const peers = [
      await startServer('--cpu=0.2', '--qps=100', ...flags),
      await startServer('--cpu=0.4', '--qps=100', ...flags),
      // Its own figure counts before that of its CPUs; half of its requests fail.
      await startServer('--cpu=0.1', '--application=0.3', '--qps=100', '--eps=50', ...flags),
    ];
    stage.set({ clusters: { a: { groups: [{ peers }], extra: weighted(fields) } } });
    // 500, 250 and 125.
    await expectShares(peers, [4 / 7, 2 / 7, 1 / 7]);
  });

  it('is none where a server reports nothing: it has the mean of the others', async () => {
    const peers = [
      await startServer('--cpu=0.2', '--qps=100'),
      await startServer('--cpu=0.4', '--qps=100'),
      await startServer(),
    ];
    stage.set({ clusters: { a: { groups: [{ peers }], extra: weighted({}) } } });
    await expectShares(peers, [4 / 9, 2 / 9, 3 / 9]);
  });
});
