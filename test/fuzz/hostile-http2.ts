import { once } from 'node:events';
import net, { type AddressInfo, type Server } from 'node:net';
import type { Random } from '../../sdk/src/clock.ts';
import type { ConnectionFault } from '../../sdk/src/wire/http2/codes.ts';
import { HpackEncoder } from '../../sdk/src/wire/http2/hpack-encoder.ts';
import { connectTo, frame, GET, HELLO, POST } from '../../sdk/src/wire/http2/peer.fixture.ts';
import type { ClientStream } from '../../sdk/src/wire/http2/stream.ts';
import type { StreamListener } from '../../sdk/src/wire/http2/stream-listener.ts';
import { seededRandom } from '../harness/seeded-random.ts';
import { below } from './mutate.ts';
import { type FuzzOptions, type FuzzReport, MOST_FAULTS } from './report.ts';
import { watchStalls } from './stall.ts';

const STREAMS = [1, 3, 5];
/** Bytes of a client that has asked for nothing yet, at most. */
const GREETING = 80;
const number = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

/** What an HTTP/2 server sends: answers in good order, then damaged. Whatever it is, every request ends once, and in order. */
export async function fuzzHttp2({ seed, count }: FuzzOptions): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const peer = await startPeer();
  const stalls = watchStalls();
  const faults: string[] = [];
  let accepted = 0;
  for (let index = 0; index < count && faults.length < MOST_FAULTS; index++) {
    stalls.doing(undefined);
    const bytes = damaged(script(random), random);
    peer.next = { bytes, cut: below(random, bytes.length + 1) };
    stalls.doing(`input ${index}`);
    const { fault, problems } = await play(peer.port, random);
    if (fault === undefined) accepted++;
    for (const problem of problems)
      faults.push(`input ${index}: ${problem}, of ${bytes.toString('hex').slice(0, 2_000)}`);
  }
  stalls.stop();
  peer.server.close();
  const { wallMs, cpuMs, what } = stalls.longest;
  const longestMs = { wall: wallMs, cpu: cpuMs, during: what };
  return {
    what: 'hostile servers of HTTP/2',
    seed,
    inputs: count,
    accepted,
    refused: count - accepted,
    longestMs,
    faults,
  };
}

/** Sends what is `next` to whoever connects, in two parts, as soon as he has spoken. */
async function startPeer() {
  const peer = { port: 0, server: undefined as unknown as Server, next: { bytes: Buffer.alloc(0) as Buffer, cut: 0 } };
  peer.server = net.createServer((socket) => {
    const { bytes, cut } = peer.next;
    socket.on('error', () => {}).resume();
    socket.setNoDelay(true).write(HELLO);
    let received = 0;
    let hasAnswered = false;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (hasAnswered || received <= GREETING) return;
      hasAnswered = true;
      socket.write(bytes.subarray(0, cut));
      setImmediate(() => socket.end(bytes.subarray(cut)));
    });
  });
  peer.server.listen(0, '127.0.0.1');
  await once(peer.server, 'listening');
  peer.port = (peer.server.address() as AddressInfo).port;
  return peer;
}

/** Frames as a good server sends them, for three streams at a time. */
function script(random: Random): Buffer[] {
  const encoder = new HpackEncoder();
  const frames: Buffer[] = [];
  const left = new Map(STREAMS.map((stream) => [stream, 0]));
  while (left.size > 0 && frames.length < 60) {
    const stream = STREAMS[below(random, STREAMS.length)] ?? 1;
    const step = left.get(stream);
    if (step === undefined) continue;
    if (below(random, 4) === 0) frames.push(ofConnection(random));
    const isEnd = step > 0 && below(random, 3) === 0;
    left.set(stream, step + 1);
    if (isEnd) left.delete(stream);
    if (step === 0) frames.push(...block(stream, encoder.encode([':status', '200', ...fields(random)]), 0, random));
    else if (isEnd && below(random, 2) === 0) frames.push(...block(stream, encoder.encode(fields(random)), 1, random));
    else frames.push(data(stream, isEnd ? 1 : 0, random));
  }
  return frames;
}

function fields(random: Random): string[] {
  const flat: string[] = ['x-seen', 'again'];
  for (let left = below(random, 5); left > 0; left--)
    flat.push(`x-${below(random, 20)}`, 'v'.repeat(below(random, 300)));
  if (below(random, 10) === 0) flat.push('content-length', String(below(random, 300)));
  return flat;
}

function block(stream: number, bytes: Buffer, endStream: number, random: Random): Buffer[] {
  const own = Buffer.from(bytes);
  const cut = below(random, 3) === 0 ? below(random, own.length) : own.length;
  if (cut === own.length) return [frame(1, 4 | endStream, stream, own)];
  return [frame(1, endStream, stream, own.subarray(0, cut)), frame(9, 4, stream, own.subarray(cut))];
}

function data(stream: number, endStream: number, random: Random): Buffer {
  const bytes = new Uint8Array(below(random, 10) === 0 ? below(random, 16_000) : below(random, 30));
  if (below(random, 4) > 0) return frame(0, endStream, stream, bytes);
  const padding = below(random, 20);
  return frame(0, endStream | 8, stream, [padding, ...bytes, ...new Uint8Array(padding)]);
}

function ofConnection(random: Random): Buffer {
  const stream = STREAMS[below(random, STREAMS.length)] ?? 1;
  const kinds: (() => Buffer)[] = [
    () => frame(6, 0, 0, new Uint8Array(8)),
    () => frame(4, 0, 0, [0, 1 + below(random, 6), ...number(random() >>> below(random, 32))]),
    () => frame(4, 0, 0, [0, 4, ...number(below(random, 70_000))]),
    () => frame(8, 0, below(random, 2) * stream, number(1 + (random() >>> (1 + below(random, 31))))),
    () => frame(3, 0, stream, number(below(random, 14))),
    () => frame(7, 0, 0, [...number(below(random, 7)), ...number(below(random, 14))]),
    () => frame(2, 0, stream, [0, 0, 0, 1, 5]),
  ];
  return kinds[below(random, kinds.length)]?.() ?? Buffer.alloc(0);
}

/** A few frames left out, said twice, changed about; or none. */
function damaged(frames: Buffer[], random: Random): Buffer {
  for (let left = below(random, 4); left > 0 && frames.length > 0; left--) {
    const at = below(random, frames.length);
    const one = frames[at] as Buffer;
    const kind = below(random, 4);
    if (kind === 0) frames.splice(at, 1);
    else if (kind === 1) frames.splice(at, 0, one);
    else if (kind === 2) frames.push(...frames.splice(at, 1));
    else one[below(random, one.length)] = below(random, 256);
  }
  return Buffer.concat(frames);
}

interface Outcome {
  readonly fault: ConnectionFault | undefined;
  readonly problems: readonly string[];
}

async function play(port: number, random: Random): Promise<Outcome> {
  const { client, ended } = await connectTo(port);
  const problems: string[] = [];
  const asked = [GET, POST, [':method', 'HEAD', ...GET.slice(2)]].map((headers) => {
    const watcher = new Watcher(problems, random);
    const isEnd = headers !== POST;
    watcher.stream = client.request(headers, isEnd, watcher);
    if (!isEnd) watcher.stream?.write(new Uint8Array(below(random, 100_000)));
    return watcher;
  });
  const fault = await ended;
  // The last of what was paused is handed over, or dropped, a moment later.
  await new Promise<void>((resolve) => setImmediate(resolve));
  for (const { state, stream } of asked) {
    if (stream !== undefined && state !== 'closed') problems.push(`a stream that is left ${state}`);
  }
  return { fault, problems };
}

/** A request that is paused, goes on or is given up as chance will have it, and watches over what it is told. */
class Watcher implements StreamListener {
  state: 'new' | 'head' | 'end' | 'closed' = 'new';
  stream: ClientStream | undefined;
  readonly #problems: string[];
  readonly #random: Random;

  constructor(problems: string[], random: Random) {
    this.#problems = problems;
    this.#random = random;
  }

  onInformational(): void {
    this.#expect('an informational head', 'new');
  }

  onHead(): void {
    this.#expect('a head', 'new');
    this.state = 'head';
    this.#act();
  }

  onData(): void {
    this.#expect('data', 'head');
    this.#act();
  }

  onEnd(): void {
    this.#expect('an end', 'head');
    this.state = 'end';
  }

  onSent(): void {
    this.#expect('that all is sent', 'new', 'head', 'end');
  }

  onRoom(): void {
    this.#expect('room', 'new', 'head', 'end');
    this.stream?.end();
  }

  onClosed(): void {
    this.#expect('that it is closed', 'new', 'head', 'end');
    this.state = 'closed';
  }

  #act(): void {
    const kind = below(this.#random, 12);
    if (kind === 0) this.stream?.reset(8);
    if (kind > 2) return;
    this.stream?.pause();
    setImmediate(() => this.stream?.resume());
  }

  #expect(what: string, ...states: readonly Watcher['state'][]): void {
    if (!states.includes(this.state)) this.#problems.push(`a stream that is ${this.state} was told ${what}`);
  }
}
