import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RATINGS, RatingsClient } from '../../../examples/bookinfo/services/ratings-service.ts';
import { main } from '../../../xds-server/src/main.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { startWorld, type World } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { findGrpcioPython } from '../grpc-peers/grpcio.ts';
import { issue } from '../identity-live/certificate-files.ts';

/** Bookinfo's ratings by gRPC: servers in TypeScript and in Go, clients in TypeScript and in Python, one VirtualService. */

const EXAMPLE = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../examples/bookinfo');
const go = buildGoPeer('bookinfo-ratings', path.join(EXAMPLE, 'grpc-go'));
const python = findGrpcioPython();

/** By whom they are answered. */
const FROM_TYPESCRIPT = [5, 4];
const FROM_GO = [3, 2];

async function bootstrap(world: World, account: string, ...more: readonly string[]): Promise<string> {
  await issue(world, `spiffe://cluster.local/ns/default/sa/${account}`, account);
  const out = path.join(world.folder, `${account}.json`);
  const xds = ['--xds', `tls://localhost:${world.securePort}`, '--certs', path.join(world.folder, account)];
  expect(await main(['bootstrap', '--kind', 'grpc', ...xds, ...more, '--out', out])).toBe(0);
  return out;
}

function start(
  world: World,
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(file, [...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  world.onClose(() => child.kill('SIGKILL'));
  return child;
}

const saying = (child: ChildProcess, what: RegExp): Promise<void> =>
  new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on(
      'line',
      (line) => what.test(line) && resolve(),
    );
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} has ended with ${code}`)));
  });

async function startTypeScript(world: World): Promise<void> {
  const token = await world.server.token({ namespace: 'default', serviceAccount: 'bookinfo-ratings' }, 3_000_000);
  const env = {
    SERVICE_VERSION: 'v1',
    INMESH_XDS: `127.0.0.1:${world.plainPort}`,
    INMESH_TOKEN: token,
    INMESH_NAMESPACE: 'default',
    INMESH_WORKLOAD: 'ratings-v1',
  };
  const args = [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    path.join(EXAMPLE, 'services/ratings.ts'),
  ];
  const child = start(world, process.execPath, args, env);
  await new Promise<void>((resolve) => {
    child.on('message', (message) => 'ready' in (message as object) && resolve());
  });
}

describe.skipIf(go === undefined)('ratings in Go beside those in TypeScript', () => {
  let world: World;

  beforeAll(async () => {
    const port = await freePort();
    const files = [...globSync(path.join(EXAMPLE, 'mesh/*.yaml')), path.join(EXAMPLE, 'grpc-go/ratings.yaml')];
    const yaml = files.map((file) => readFileSync(file, 'utf8')).join('\n---\n');
    world = await startWorld(yaml.replace('grpc: 9081', `grpc: ${port}`));
    const file = await bootstrap(world, 'bookinfo-ratings', '--label', 'app=ratings-grpc', '--label', 'version=v2');
    const server = start(world, go ?? '', [`127.0.0.1:${port}`], { GRPC_XDS_BOOTSTRAP: file });
    await Promise.all([saying(server, /^serving on/), startTypeScript(world)]);
  });
  afterAll(() => world?.close());

  it('a client of grpc-js on the mesh is sent to each by the metadata', async () => {
    const { mesh } = await world.mesh('web');
    const client = new RatingsClient('ratings-grpc.default:9080', grpc.credentials.createInsecure(), mesh.grpc());
    const stars = (user?: string): Promise<readonly number[]> =>
      new Promise((resolve, reject) => {
        const metadata = new grpc.Metadata({ waitForReady: true });
        if (user !== undefined) metadata.set('end-user', user);
        const { path, requestSerialize, responseDeserialize } = RATINGS.get;
        const request = RATINGS.get.requestDeserialize(Buffer.alloc(0));
        const options = { deadline: Date.now() + 60_000 };
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          options,
          (error, answer) => {
            if (error !== null) reject(error);
            else resolve(answer?.ratings.map((rating) => rating.stars) ?? []);
          },
        );
      });
    await expect.poll(() => stars(), { timeout: 60_000 }).toEqual(FROM_TYPESCRIPT);
    expect(await stars('jason')).toEqual(FROM_GO);
    expect(await stars('susan')).toEqual(FROM_TYPESCRIPT);
    client.close();
  });

  it.skipIf(python === undefined)('and so is a client in Python', async () => {
    const file = await bootstrap(world, 'bookinfo-reviews');
    const ask = async (...user: readonly string[]): Promise<readonly number[]> => {
      const env = { ...process.env, GRPC_XDS_BOOTSTRAP: file };
      const program = [path.join(EXAMPLE, 'grpc-python/ratings.py'), ...user];
      const { stdout } = await promisify(execFile)(python ?? '', program, { env });
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.split('★').length - 1);
    };
    expect(await ask('jason')).toEqual(FROM_GO);
    await expect.poll(() => ask(), { timeout: 60_000 }).toEqual(FROM_TYPESCRIPT);
  });
});
