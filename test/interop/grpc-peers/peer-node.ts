import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';
import type { PeerAnswer, PeerCall } from './peer.ts';

/** A client of grpc-js-xds that does what the lines on its standard input say: it is a process of its own, for it may end. */

interface Command extends PeerCall {
  readonly id: number;
  readonly do: string;
  readonly channel: string;
  readonly target?: string;
  readonly credentials?: string;
  readonly bootstrap?: object;
}

const BOOTSTRAP = 'grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config';

const channels = new Map<string, Client>();
const pass = (bytes: Buffer): Buffer => bytes;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function open({ channel, target = '', credentials: kind, bootstrap }: Command): void {
  const plain = credentials.createInsecure();
  const options = bootstrap && { [BOOTSTRAP]: JSON.stringify(bootstrap) };
  channels.set(channel, new Client(target, kind === 'xds' ? new XdsChannelCredentials(plain) : plain, options));
}

function metadataOf({ headers = {}, waitForReady = false }: Command): Metadata {
  const metadata = new Metadata({ waitForReady });
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) metadata.add(name, name.endsWith('-bin') ? Buffer.from(one, 'base64') : one);
  }
  return metadata;
}

function trailersOf(metadata: Metadata): Record<string, string> {
  const named = Object.keys(metadata.getMap()).map((name) => [name, metadata.get(name).map(String).join(',')] as const);
  return Object.fromEntries(named);
}

function call(client: Client, command: Command): Promise<PeerAnswer> {
  const { method = '', deadlineMs = 10_000 } = command;
  const began = performance.now();
  return new Promise((resolve) => {
    let body: string | undefined;
    let message: string | undefined;
    const options = { deadline: Date.now() + deadlineMs };
    const done = (error: ServiceError | null, value?: Buffer) => {
      if (error) message = error.details;
      else body = String(value);
    };
    const request = client.makeUnaryRequest(method, pass, pass, Buffer.alloc(0), metadataOf(command), options, done);
    request.on('status', ({ code, metadata }) =>
      resolve({
        status: status[code] ?? String(code),
        ms: performance.now() - began,
        trailers: trailersOf(metadata),
        ...(body !== undefined && { body }),
        ...(message !== undefined && { message }),
      }),
    );
  });
}

async function calls(command: Command): Promise<readonly PeerAnswer[]> {
  const client = channels.get(command.channel);
  if (client === undefined) throw new Error(`no channel ${command.channel}`);
  const { count = 1, parallel = 1 } = command;
  const answers: PeerAnswer[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      answers[index] = await call(client, command);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return answers;
}

async function carryOut(command: Command): Promise<object> {
  switch (command.do) {
    case 'open':
      open(command);
      return {};
    case 'close':
      channels.get(command.channel)?.close();
      channels.delete(command.channel);
      return {};
    case 'call':
      return { answers: await calls(command) };
    default:
      throw new Error(`no such command: ${command.do}`);
  }
}

register();
say({
  ready: true,
  name: 'grpc-js-xds',
  version: createRequire(import.meta.url)('@grpc/grpc-js-xds/package.json').version,
});
// A turn of its own for each: calls of one turn are all picked before any of them counts as under way.
for await (const line of createInterface({ input: process.stdin })) {
  const command: Command = JSON.parse(line);
  const failed = (error: unknown): object => ({ error: String(error) });
  carryOut(command)
    .catch(failed)
    .then((answer) => say({ id: command.id, ...answer }));
}
process.exit(0);
