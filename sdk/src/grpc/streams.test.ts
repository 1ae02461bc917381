import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { until } from '../connection/origin.fixture.ts';
import { Echo, type EchoClient, type Handlers, servePeer, told } from './peer.fixture.ts';

let test: TestMesh;
const opened: { close(): void }[] = [];
beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await test[Symbol.asyncDispose]();
});

async function echo(handlers: Handlers = {}, options: grpc.ClientOptions = {}): Promise<EchoClient> {
  const peer = await servePeer(handlers);
  test.host('echo:80', peer.port);
  const client = new Echo('echo:80', grpc.credentials.createInsecure(), { ...options, ...test.mesh.grpc() });
  opened.push(client, peer);
  return client;
}

type Spread = (call: grpc.ServerWritableStream<Buffer, Buffer>) => void;
type Chat = (call: grpc.ServerDuplexStream<Buffer, Buffer>) => void;

const statusOf = (stream: { on(event: 'status', listener: (status: grpc.StatusObject) => void): unknown }) =>
  new Promise<grpc.StatusObject>((resolve) => {
    stream.on('status', resolve);
  });

async function read(
  stream: grpc.ClientReadableStream<Buffer>,
): Promise<{ parts: Buffer[]; status: grpc.StatusObject }> {
  const status = statusOf(stream);
  const parts: Buffer[] = [];
  stream.on('error', () => {}).on('data', (part: Buffer) => parts.push(part));
  return { status: await status, parts };
}

describe('client streaming', () => {
  it('sends every message in order and has one answer', async () => {
    const client = await echo();
    const result = told((done) => {
      const call = client.collect(done);
      for (const part of ['one ', '', 'two ', 'three']) call.write(Buffer.from(part));
      call.end();
      return call;
    });
    expect(String((await result).value)).toBe('one two three');
  });

  it('without a message is answered too', async () => {
    const client = await echo();
    const { value } = await told((done) => {
      const call = client.collect(done);
      call.end();
      return call;
    });
    expect(value?.length).toBe(0);
  });

  it('holds the writer back while the server does not read, and goes on when it does', async () => {
    const go = Promise.withResolvers<void>();
    const client = await echo({
      collect: async (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        await go.promise;
        let size = 0;
        for await (const part of call) size += (part as Buffer).length;
        done(null, Buffer.from(String(size)));
      },
    });
    let written = 0;
    const part = Buffer.alloc(16 * 1024);
    const result = told((done) => {
      const call = client.collect(done);
      const write = (): void => {
        if (written === 800) call.end();
        else
          call.write(part, () => {
            written++;
            write();
          });
      };
      write();
      return call;
    });
    let before = -1;
    await until(() => {
      const isStill = written > 0 && written === before;
      before = written;
      return isStill;
    });
    expect(written).toBeLessThan(800);
    go.resolve();
    expect(String((await result).value)).toBe(String(800 * part.length));
  });
});

describe('server streaming', () => {
  it('reads every message in order, then the status', async () => {
    const client = await echo();
    const { parts, status } = await read(client.spread(Buffer.from('abc')));
    expect(parts.map(String)).toEqual(['a', 'b', 'c']);
    expect(status.code).toBe(0);
  });

  it('gives the messages that came before an error, then the error', async () => {
    const spread: Spread = (call) => {
      call.write(Buffer.from('a'));
      call.write(Buffer.from('b'));
      call.emit('error', { code: grpc.status.ABORTED, details: 'enough' });
    };
    const client = await echo({ spread });
    const { parts, status } = await read(client.spread(Buffer.from('x')));
    expect(parts.map(String)).toEqual(['a', 'b']);
    expect(status).toMatchObject({ code: grpc.status.ABORTED, details: 'enough' });
  });

  it('holds the server back while nobody reads', async () => {
    let written = 0;
    let isFull = false;
    const part = Buffer.alloc(256 * 1024);
    const spread: Spread = (call) => {
      const write = (): void => {
        if (written === 200) {
          call.end();
          return;
        }
        written++;
        if (call.write(part)) setImmediate(write);
        else {
          isFull = true;
          call.once('drain', write);
        }
      };
      write();
    };
    const client = await echo({ spread });
    const call = client.spread(Buffer.from('x'));
    call.once('data', () => call.pause());
    let before = -1;
    await until(() => {
      const isStill = isFull && written === before;
      before = written;
      return isStill;
    });
    expect(written).toBeLessThan(200);
    let size = part.length;
    const status = statusOf(call);
    call.on('data', (more: Buffer) => {
      size += more.length;
    });
    call.resume();
    expect((await status).code).toBe(0);
    expect(size).toBe(200 * part.length);
  });

  it('that is cancelled while it is read ends at once, and the server hears of it', async () => {
    const cancelled = Promise.withResolvers<void>();
    const spread: Spread = (call) => {
      call.on('cancelled', () => cancelled.resolve());
      call.write(Buffer.from('a'));
    };
    const client = await echo({ spread });
    const call = client.spread(Buffer.from('x'));
    const result = read(call);
    await once(call, 'data');
    call.cancel();
    expect((await result).status.code).toBe(grpc.status.CANCELLED);
    await cancelled.promise;
  });
});

describe('both ways', () => {
  it('plays ping-pong', async () => {
    const client = await echo();
    const call = client.chat();
    const status = statusOf(call);
    for (const word of ['one', 'two', 'three']) {
      call.write(Buffer.from(word));
      const [heard] = await once(call, 'data');
      expect(String(heard)).toBe(word);
    }
    call.end();
    expect((await status).code).toBe(0);
  });

  it('has the first word of a server that speaks before it hears', async () => {
    const chat: Chat = (call) => {
      call.sendMetadata(new grpc.Metadata());
      call.write(Buffer.from('welcome'));
      call.on('data', () => call.end());
    };
    const client = await echo({ chat });
    const call = client.chat();
    const [heard] = await once(call, 'data');
    expect(String(heard)).toBe('welcome');
    const status = statusOf(call);
    call.end(Buffer.from('bye'));
    expect((await status).code).toBe(0);
  });

  it('ends with the status of a server that has had enough, though the client has not', async () => {
    const chat: Chat = (call) => call.emit('error', { code: grpc.status.RESOURCE_EXHAUSTED, details: 'full' });
    const client = await echo({ chat });
    const call = client.chat();
    call.on('error', () => {}).resume();
    call.write(Buffer.from('x'));
    expect(await statusOf(call)).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'full' });
    // The writer is not left waiting.
    call.end();
    await once(call, 'finish');
  });

  it('each of a hundred at a time has its own answers, compressed or not', async () => {
    const client = await echo({}, { 'grpc.default_compression_algorithm': 2 });
    const one = async (id: number): Promise<string> => {
      const call = client.chat();
      for (let n = 0; n < 3; n++) call.write(Buffer.from(`${id}.${n} `));
      call.end();
      return Buffer.concat((await read(call)).parts).toString();
    };
    const all = await Promise.all(Array.from({ length: 100 }, (_, id) => one(id)));
    expect(all).toEqual(Array.from({ length: 100 }, (_, id) => `${id}.0 ${id}.1 ${id}.2 `));
  });

  it('takes over the deadline and the end of the call that it is made for', async () => {
    const began = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const backend = await echo({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>) => {
        call.on('cancelled', () => cancelled.resolve());
        began.resolve();
      },
    });
    const front = await servePeer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        backend.unary(call.request, new grpc.Metadata(), { parent: call }, done);
      },
    });
    const direct = new Echo(`127.0.0.1:${front.port}`, grpc.credentials.createInsecure());
    opened.push(direct, front);
    const result = told((done) => {
      const call = direct.unary(Buffer.from('x'), done);
      void began.promise.then(() => call.cancel());
      return call;
    });
    expect((await result).error?.code).toBe(grpc.status.CANCELLED);
    await cancelled.promise;
  });
});
