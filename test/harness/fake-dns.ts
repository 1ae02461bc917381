import dgram from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

/** What a name answers. Addresses of both families stand in one list; a question gets those of its own. */
type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  | 'NXDOMAIN'
  | 'SERVFAIL'
  /** Nothing, ever. */
  | 'silence';

export interface FakeDns {
  /** `address:port` */
  readonly server: string;
  /** By lower-case name; NXDOMAIN where there is none. */
  readonly answers: Map<string, DnsAnswer>;
  /** `A name`, `AAAA name`, in the order they came. */
  readonly questions: string[];
  close(): void;
}

const A = 1;
const AAAA = 28;
const CODES = { NXDOMAIN: 3, SERVFAIL: 2 } as const;
/** The answer does not fit a UDP packet: more than this is left out and said so (TC) by no resolver of ours. */
const LARGEST = 60_000;

/** A DNS server on loopback that answers as it is told (RFC 1035, UDP only). */
export async function createFakeDns(): Promise<FakeDns> {
  const socket = dgram.createSocket('udp4');
  const answers = new Map<string, DnsAnswer>();
  const questions: string[] = [];
  socket.on('message', (query, peer) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${type === A ? 'A' : 'AAAA'} ${name}`);
    const answer = answers.get(name) ?? 'NXDOMAIN';
    if (answer !== 'silence') socket.send(reply(query.subarray(0, end), type, answer), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { server: `127.0.0.1:${socket.address().port}`, answers, questions, close: () => socket.close() };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function reply(query: Buffer, type: number, answer: Exclude<DnsAnswer, 'silence'>): Buffer {
  const head = Buffer.from(query);
  const code = typeof answer === 'string' ? CODES[answer] : 0;
  const records =
    typeof answer === 'string' ? [] : answer.addresses.filter((it) => isIP(it) === (type === AAAA ? 6 : 4));
  const ttl = typeof answer === 'string' ? 0 : (answer.ttl ?? 60);
  const body = Buffer.concat(records.map((address) => record(type, ttl, bytesOf(address))));
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  if (body.length > LARGEST) throw new Error('more answers than a packet holds');
  return Buffer.concat([head, body]);
}

function record(type: number, ttl: number, bytes: Buffer): Buffer {
  const fixed = Buffer.alloc(12);
  // The name is that of the question, at byte 12.
  fixed.writeUInt16BE(0xc00c, 0);
  fixed.writeUInt16BE(type, 2);
  fixed.writeUInt16BE(1, 4);
  fixed.writeUInt32BE(ttl, 6);
  fixed.writeUInt16BE(bytes.length, 10);
  return Buffer.concat([fixed, bytes]);
}

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [left = '', right = ''] = address.split('::');
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const [head, tail] = [words(left), words(right)];
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  const bytes = Buffer.alloc(16);
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(word, i * 2);
  return bytes;
}
