import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';

/** The last good configuration, as its bytes came: so a process can start while the control plane is away. */
export interface LastGood {
  find(typeUrl: string, name: string): Kept | undefined;
  keep(typeUrl: string, name: string, kept: Omit<Kept, 'sentMs'>): void;
  /** The control plane said that it does not exist. */
  drop(typeUrl: string, name: string): void;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

export interface Kept {
  readonly version: string;
  readonly bytes: Uint8Array;
  /** Whose version it is. */
  readonly server: string;
  /** Wall-clock time at which the control plane sent it. */
  readonly sentMs: number;
}

/** Where it is kept. */
export interface SnapshotFile {
  /** undefined when there is none. */
  read(): string | undefined;
  /** All or nothing, readable by its owner alone. */
  write(text: string): Promise<void>;
}

export interface LastGoodParts {
  readonly file: SnapshotFile;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** Of the format below; another one is not read. The digest of all that follows stands behind it. */
const HEADER = 'inmesh-snapshot 2';

interface Line extends Kept {
  readonly typeUrl: string;
  readonly name: string;
}

const keyOf = (typeUrl: string, name: string): string => `${typeUrl} ${name}`;

export function createLastGood(parts: LastGoodParts): LastGood {
  const lines = load(parts);
  let timer: Timer | undefined;

  async function write(): Promise<void> {
    timer?.cancel();
    timer = undefined;
    try {
      const body = [...lines.values()].map(encode).join('\n');
      await parts.file.write(`${HEADER} ${digestOf(body)}\n${body}`);
    } catch (error) {
      parts.emit({ kind: 'warning', message: `the snapshot could not be written: ${String(error)}` });
    }
  }

  function changed(): void {
    timer ??= parts.clock.after(defaultOf('snapshotDelayMs'), () => void write());
  }

  return {
    find: (typeUrl, name) => lines.get(keyOf(typeUrl, name)),
    keep(typeUrl, name, { version, bytes, server }) {
      const key = keyOf(typeUrl, name);
      // The newest stand last: what has not been seen for long goes first.
      lines.delete(key);
      // A copy: the bytes are a piece of a whole response.
      lines.set(key, { typeUrl, name, version, server, bytes: bytes.slice(), sentMs: parts.clock.wallTime() });
      const [oldest] = lines.keys();
      if (oldest !== undefined && lines.size > defaultOf('snapshotEntries')) lines.delete(oldest);
      changed();
    },
    drop(typeUrl, name) {
      if (lines.delete(keyOf(typeUrl, name))) changed();
    },
    async close() {
      if (timer !== undefined) await write();
    },
  };
}

const encode = ({ typeUrl, name, version, server, bytes, sentMs }: Line): string =>
  JSON.stringify([typeUrl, name, version, server, Buffer.from(bytes).toString('base64'), sentMs]);

function decode(text: string): Line {
  const line: unknown = JSON.parse(text);
  const [typeUrl, name, version, server, bytes, sentMs]: unknown[] = Array.isArray(line) ? line : [];
  if (typeof typeUrl !== 'string' || typeof name !== 'string' || typeof version !== 'string') throw NO_LINE;
  if (typeof server !== 'string' || typeof bytes !== 'string') throw NO_LINE;
  // Within what a Date can say, or telling how old it is would throw.
  if (typeof sentMs !== 'number' || !(Math.abs(sentMs) <= 8.64e15)) throw NO_LINE;
  return { typeUrl, name, version, server, bytes: Buffer.from(bytes, 'base64'), sentMs };
}

const NO_LINE = new Error('a line is no resource');

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A file that cannot be read, was cut, or is of another format is no file: the control plane is asked anyway. */
function load({ file, emit }: LastGoodParts): Map<string, Line> {
  try {
    const text = file.read();
    if (text === undefined) return new Map();
    const end = text.indexOf('\n');
    const [header, body] = end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end + 1)];
    if (!header.startsWith(`${HEADER} `)) {
      throw new Error(`it begins with ${JSON.stringify(header.slice(0, 40))}, "${HEADER}" is known`);
    }
    if (header !== `${HEADER} ${digestOf(body)}`) throw new Error('it was cut or changed');
    const lines = body === '' ? [] : body.split('\n').map(decode);
    return new Map(lines.map((line) => [keyOf(line.typeUrl, line.name), line]));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    emit({ kind: 'warning', message: `the snapshot is not used: ${why}` });
    return new Map();
  }
}
