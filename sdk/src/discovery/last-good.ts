import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';

/** The last good configuration, as its bytes came: so a process can start while the control plane is away. */
export interface LastGood {
  find(typeUrl: string, name: string): Kept | undefined;
  keep(typeUrl: string, name: string, kept: Pick<Kept, 'version' | 'bytes'>): void;
  /** The control plane said that it does not exist. */
  drop(typeUrl: string, name: string): void;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

export interface Kept {
  readonly version: string;
  readonly bytes: Uint8Array;
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

/** Of the format below; another one is not read. */
const HEADER = 'inmesh-snapshot 1';

/** Listeners, routes, clusters and endpoints: nothing that could hold a key or a token is ever written. */
const KEPT_TYPES = /\/envoy\.config\.(?:listener|route|cluster|endpoint)\.v3\.[A-Za-z]+$/;

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
      await parts.file.write([HEADER, ...[...lines.values()].map(encode)].join('\n'));
    } catch (error) {
      parts.emit({ kind: 'warning', message: `the snapshot could not be written: ${String(error)}` });
    }
  }

  function changed(): void {
    timer ??= parts.clock.after(defaultOf('snapshotDelayMs'), () => void write());
  }

  return {
    find: (typeUrl, name) => lines.get(keyOf(typeUrl, name)),
    keep(typeUrl, name, { version, bytes }) {
      if (!KEPT_TYPES.test(typeUrl)) return;
      const key = keyOf(typeUrl, name);
      // The newest stand last: what has not been seen for long goes first.
      lines.delete(key);
      // A copy: the bytes are a piece of a whole response.
      lines.set(key, { typeUrl, name, version, bytes: bytes.slice(), sentMs: parts.clock.wallTime() });
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

const encode = ({ typeUrl, name, version, bytes, sentMs }: Line): string =>
  JSON.stringify([typeUrl, name, version, Buffer.from(bytes).toString('base64'), sentMs]);

function decode(text: string): Line | undefined {
  const line: unknown = JSON.parse(text);
  if (!Array.isArray(line)) return undefined;
  const [typeUrl, name, version, bytes, sentMs]: unknown[] = line;
  if (typeof typeUrl !== 'string' || typeof name !== 'string' || typeof version !== 'string') return undefined;
  if (typeof bytes !== 'string' || typeof sentMs !== 'number' || !Number.isFinite(sentMs)) return undefined;
  return { typeUrl, name, version, bytes: Buffer.from(bytes, 'base64'), sentMs };
}

/** A file that cannot be read is no file: the control plane is asked anyway. */
function load({ file, emit }: LastGoodParts): Map<string, Line> {
  const lines = new Map<string, Line>();
  try {
    const [header, ...rest] = file.read()?.split('\n') ?? [HEADER];
    if (header !== HEADER) throw new Error(`it begins with "${header?.slice(0, 40)}", "${HEADER}" is known`);
    for (const text of rest) {
      const line = decode(text);
      if (line !== undefined) lines.set(keyOf(line.typeUrl, line.name), line);
    }
  } catch (error) {
    lines.clear();
    emit({
      kind: 'warning',
      message: `the snapshot is not used: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  return lines;
}
