import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock, type Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import { type ParsedText, type ParseMemo, parseSteps } from '../schema/parse.ts';
import { type Pace, stepsInTurns } from '../schema/steps.ts';
import type { Problem, Source, SourceObserver } from '../schema/types.ts';
import { Collection } from './collection.ts';
import { type FileStamp, listFiles, readText } from './folder.ts';
import { type Hints, watchHints } from './hints.ts';

export interface FilesOptions {
  readonly clock?: Clock;
  /** Time between sweeps; tests of the sweep itself set it. */
  readonly sweepMs?: number;
  /** Whether to listen to the platform's file events (default) or to sweep alone. */
  readonly watch?: boolean;
  /** Gives the event loop its turn while large files are parsed. */
  readonly turn?: () => Promise<void>;
}

/** A folder of YAML and JSON files, watched. `start` rejects where there is no such folder. */
export const watchFiles = (folder: string, options: FilesOptions = {}): Source => new FileSource(folder, options);

/** A file as last read. */
interface Known {
  readonly stamp: string;
  readonly text: string | undefined;
  /** Read so soon after it was written that a second write may carry the same stamp. */
  readonly fresh: boolean;
}

/** A version that lost objects or is invalid: believed once it has stood for a while. */
interface Doubt {
  readonly text: string | undefined;
  readonly until: number;
}

/** Coarsest file time of the platforms we know (FAT: 2 s; ext4, APFS, NTFS: milliseconds). */
const FRESH_MS = 50;

class FileSource implements Source {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #options: FilesOptions;
  readonly #pace: Pace;
  readonly #collection = new Collection();
  readonly #known = new Map<string, Known>();
  readonly #memos = new Map<string, ParseMemo>();
  readonly #doubts = new Map<string, Doubt>();
  #folderProblem: Problem | undefined;
  #on: SourceObserver | undefined;
  #hints: Hints | undefined;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #sweeping: Promise<void> | undefined;
  #again = false;
  #told = '';

  constructor(folder: string, options: FilesOptions) {
    this.#folder = folder;
    this.#options = options;
    const clock = options.clock ?? systemClock;
    this.#clock = clock;
    this.#pace = {
      now: () => performance.now(),
      turn: options.turn ?? setImmediate,
      sliceMs: defaultOf('parseSliceMs'),
    };
  }

  async start(on: SourceObserver): Promise<void> {
    const files = await listFiles(this.#folder);
    this.#on = on;
    // Hints begin before the first read, so that nothing falls between.
    if (this.#options.watch !== false)
      this.#hints = watchHints(this.#folder, () => this.#sweepIn(defaultOf('fileBatchMs')));
    // A hint that comes meanwhile waits for its own sweep.
    this.#sweeping = this.#readAll(files);
    await this.#sweeping;
    this.#sweeping = undefined;
    if (this.#on === undefined) return;
    on.change(this.#collection.changes());
    this.#tellProblems(true);
    this.#sweepIn(this.#next());
  }

  async #readAll(files: ReadonlyMap<string, FileStamp>): Promise<void> {
    for (const [file, stamp] of files) await this.#read(file, stamp, true);
  }

  async refresh(): Promise<void> {
    do {
      // A sweep that is under way may have passed a file by.
      await this.#sweeping;
      this.#timer?.cancel();
      await this.#sweep();
      const now = this.#clock.now();
      const doubts = [...this.#doubts.values()].map(({ until }) => until - now);
      if (doubts.length > 0) await new Promise<void>((resolve) => void this.#clock.after(Math.max(...doubts), resolve));
    } while (this.#on !== undefined && this.#doubts.size > 0);
  }

  close(): void {
    this.#on = undefined;
    this.#hints?.close();
    this.#timer?.cancel();
  }

  #pause(): number {
    const quiet = this.#hints?.works() ? defaultOf('fileSweepMs') : defaultOf('filePollMs');
    return this.#options.sweepMs ?? quiet;
  }

  /** The soonest wish counts. */
  #sweepIn(ms: number): void {
    if (this.#on === undefined) return;
    if (this.#sweeping !== undefined) {
      this.#again ||= ms <= defaultOf('fileBatchMs');
      return;
    }
    const at = this.#clock.now() + ms;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(ms, () => void this.#sweep());
  }

  #sweep(): Promise<void> {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#sweeping = this.#lookAtAll();
    return this.#sweeping;
  }

  async #lookAtAll(): Promise<void> {
    try {
      await this.#compare(await listFiles(this.#folder));
      this.#folderProblem = undefined;
    } catch (error) {
      const message = `cannot be read, what was in it stays in use: ${error instanceof Error ? error.message : error}`;
      this.#folderProblem = { severity: 'error', file: this.#folder, line: 1, message };
    }
    this.#sweeping = undefined;
    if (this.#on === undefined) return;
    const events = this.#collection.changes();
    if (events.length > 0) this.#on.change(events);
    this.#tellProblems(false);
    this.#sweepIn(this.#next());
  }

  #next(): number {
    const again = this.#again;
    this.#again = false;
    if (again) return defaultOf('fileBatchMs');
    if ([...this.#known.values()].some(({ fresh }) => fresh)) return FRESH_MS;
    const now = this.#clock.now();
    const doubts = [...this.#doubts.values()].map(({ until }) => Math.max(until - now, 1));
    return Math.min(this.#pause(), ...doubts);
  }

  async #compare(files: ReadonlyMap<string, FileStamp>): Promise<void> {
    const appeared = [...files.keys()].some((file) => !this.#known.has(file));
    for (const [file, stamp] of files) {
      if (this.#on === undefined) return;
      const known = this.#known.get(file);
      const doubted = this.#doubts.has(file);
      if (known?.stamp !== stamp.stamp || known.fresh || doubted) await this.#read(file, stamp, false);
    }
    for (const file of [...this.#known.keys()]) {
      // Editors that write by delete and create leave a gap; a rename (something else appeared) is believed at once.
      if (files.has(file) || (!appeared && !this.#believes(file, undefined))) continue;
      this.#forget(file);
    }
  }

  async #read(file: string, { stamp, mtimeMs, bytes }: FileStamp, first: boolean): Promise<void> {
    const read = await readText(file, bytes);
    if (read === undefined) return;
    const known = this.#known.get(file);
    const fresh = Math.abs(this.#clock.wallTime() - mtimeMs) < FRESH_MS;
    if ('error' in read) {
      this.#known.set(file, { stamp, text: undefined, fresh });
      this.#collection.fail(file, { severity: 'error', file: path.normalize(file), line: 1, message: read.error });
      return;
    }
    const { text } = read;
    if (known?.text === text) {
      this.#doubts.delete(file);
      this.#known.set(file, { stamp, text, fresh });
      return;
    }
    const memo = this.#memos.get(file) ?? new Map();
    const parsed = await stepsInTurns(parseSteps(text, file, memo), this.#pace);
    if (this.#on === undefined) return;
    const doubtful = isInvalid(parsed) || this.#collection.losses(file, parsed);
    if (!first && doubtful && !this.#believes(file, text)) return;
    this.#doubts.delete(file);
    this.#memos.set(file, memo);
    this.#known.set(file, { stamp, text, fresh });
    this.#collection.set(file, parsed);
  }

  /** Whether this version has stood long enough; begins to wait where it is new. */
  #believes(file: string, text: string | undefined): boolean {
    const now = this.#clock.now();
    const doubt = this.#doubts.get(file);
    if (doubt !== undefined && doubt.text === text) return now >= doubt.until;
    this.#doubts.set(file, { text, until: now + defaultOf('fileSettleMs') });
    return false;
  }

  #forget(file: string): void {
    this.#collection.remove(file);
    this.#known.delete(file);
    this.#memos.delete(file);
    this.#doubts.delete(file);
  }

  #tellProblems(first: boolean): void {
    const problems = [...(this.#folderProblem ? [this.#folderProblem] : []), ...this.#collection.problems()];
    const told = JSON.stringify(problems);
    if (!first && told === this.#told) return;
    this.#told = told;
    this.#on?.problems(problems);
  }
}

const isInvalid = ({ problems }: ParsedText): boolean => problems.some(({ severity }) => severity === 'error');
