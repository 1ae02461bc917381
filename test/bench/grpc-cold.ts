/** From the start of a process to the first answer of a unary call: control plane up, files in the cache of the disk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { oneHost } from '../harness/one-host.ts';
import { installSdk } from './built.ts';
import { spread } from './interleave.ts';
import type { BenchHow, BenchRow } from './run.ts';

const CALL = `
const same = (bytes) => bytes;
await new Promise((resolve, reject) =>
  client.makeUnaryRequest('/bench.Echo/Unary', same, same, Buffer.from('x'), (error) => (error ? reject(error) : resolve())));
console.log(performance.now());
process.exit();`;

const PROGRAMS: Readonly<Record<string, string>> = {
  mesh: `import { createMesh } from '@inmesh/sdk';
    import { Client, credentials } from '@grpc/grpc-js';
    const client = new Client('ratings.example:80', credentials.createInsecure(), createMesh({ xds: process.env.XDS }).grpc());`,
  'grpc-js': `import { Client, credentials } from '@grpc/grpc-js';
    const client = new Client(process.env.ORIGIN, credentials.createInsecure());`,
  'grpc-js-xds': `import { Client, credentials } from '@grpc/grpc-js';
    import { register } from '@grpc/grpc-js-xds';
    register();
    const client = new Client('xds:///ratings.example:80', credentials.createInsecure());`,
};

async function run(program: string, cwd: string, env: Record<string, string>): Promise<number> {
  const args = ['--input-type=module', '-e', program + CALL];
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return Number(printed);
}

export async function firstReplies(port: number, { rounds }: BenchHow): Promise<BenchRow[]> {
  const built = await installSdk(['@grpc/grpc-js', '@grpc/grpc-js-xds']);
  const server = createXdsServer({ source: memorySource(oneHost(port)) });
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const bootstrap = {
    xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'bench', locality: {}, metadata: { NAMESPACE: 'default' } },
  };
  const env = { XDS: xds, ORIGIN: `127.0.0.1:${port}`, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) };
  const times = new Map(Object.keys(PROGRAMS).map((name) => [name, [] as number[]]));
  // One more, for the caches.
  for (let round = -1; round < rounds; round++) {
    for (const [name, program] of Object.entries(PROGRAMS)) {
      const ms = await run(program, built.folder, env);
      if (round >= 0) times.get(name)?.push(ms);
    }
  }
  await server.close();
  built.remove();
  return [...times].map(([name, ms]) => {
    const { min, median, max } = spread(ms);
    return {
      name: `first answer of a process, ${name}`,
      value: median,
      unit: 'ms',
      note: `${min.toFixed(0)} to ${max.toFixed(0)}`,
    };
  });
}
