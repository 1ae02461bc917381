import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { buildGoPeer } from '../harness/go-peer.ts';
import { rawMethod } from '../harness/raw-method.ts';
import { type Origin, spawnOrigin } from './origin.ts';

/** Answers to one call of `spread`. */
export const MESSAGES = 100;

/** Without generated code: what is measured is the channel. `hold` never answers. */
export const ECHO = {
  unary: rawMethod('/bench.Echo/Unary', false, false),
  collect: rawMethod('/bench.Echo/Collect', true, false),
  spread: rawMethod('/bench.Echo/Spread', false, true),
  chat: rawMethod('/bench.Echo/Chat', true, true),
  hold: rawMethod('/bench.Echo/Hold', false, false),
};

export interface GrpcOrigin extends Origin {
  /** What serves. */
  readonly by: string;
}

/** A server of grpc-go on one processor, in a process of its own; of grpc-js where there is no Go. */
export async function startGrpcOrigin(): Promise<GrpcOrigin> {
  const binary = buildGoPeer('load');
  if (binary === undefined) return { ...(await spawnOrigin(import.meta.url)), by: 'grpc-js' };
  const env = { ...process.env, GOMAXPROCS: '1' };
  const child: ChildProcess = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'], env });
  const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string];
  return {
    ...{ port: Number(line), pid: child.pid ?? 0, by: 'grpc-go, GOMAXPROCS=1' },
    async close() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

function serve(): void {
  const server = new grpc.Server();
  server.addService(ECHO, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
    collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let last: Buffer = Buffer.alloc(0);
      call.on('data', (part: Buffer) => (last = part)).on('end', () => done(null, last));
    },
    spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let n = 0; n < MESSAGES; n++) call.write(call.request);
      call.end();
    },
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('data', (part: Buffer) => call.write(part)).on('end', () => call.end());
    },
    hold: () => {},
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send?.(port);
  });
  process.once('disconnect', () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'serve') serve();
