import { readFile, stat } from 'node:fs/promises';
import type { Clock, Timer } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import { createBundles } from '../bundles.ts';
import type { IdentitySource, SourceListener, SourceState } from '../source.ts';
import { readKey, readSvid } from '../svid.ts';

/** Paths of PEM files, as INMESH_CERT_FILE, INMESH_KEY_FILE and INMESH_ROOT_FILE name them. */
export interface IdentityFiles {
  readonly certificate: string;
  readonly key: string;
  /** Left out: the control plane says whom to trust. */
  readonly roots?: string;
}

/** What the files hold at one moment. */
interface Snapshot {
  readonly stamp: string;
  readonly certificate: string;
  readonly key: string;
  readonly roots: string | undefined;
}

/**
 * Certificate, key and roots from files, read anew when one of them changes. They are looked at by time, not by file events:
 * those do not tell when a directory on the way is a symbolic link that is swapped, as Kubernetes does with mounted secrets.
 */
export const createFilesSource = (files: IdentityFiles, clock: Clock): IdentitySource => new FilesSource(files, clock);

class FilesSource implements IdentitySource {
  readonly kind = 'files';
  readonly from: string;
  readonly hasWholeBundles: boolean;
  readonly #files: IdentityFiles;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #seen: string | undefined;
  /** What was wrong with the files as they stood then: told when they still stand so at the next look. */
  #doubt: { readonly stamp: string; readonly reason: string } | undefined;
  #isClosed = false;

  constructor(files: IdentityFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
    this.from = `files ${files.certificate}`;
    this.hasWholeBundles = files.roots !== undefined;
  }

  start(on: SourceListener): void {
    void this.#look(on);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(on: SourceListener): Promise<void> {
    const read = await this.#read();
    if (this.#isClosed) return;
    const stamp = typeof read === 'string' ? read : read.stamp;
    if (stamp !== this.#seen) this.#take(read, stamp, on);
    this.#timer = this.#clock.after(defaultOf('identityFilesMs'), () => void this.#look(on));
  }

  #take(read: Snapshot | string, stamp: string, on: SourceListener): void {
    const state = typeof read === 'string' ? read : stateOf(read, this.#files);
    if (typeof state !== 'string') {
      this.#seen = stamp;
      this.#doubt = undefined;
      on.found(state);
      return;
    }
    // Files that are being replaced one after the other do not fit for a moment.
    if (this.#seen !== undefined && this.#doubt?.stamp !== stamp) {
      this.#doubt = { stamp, reason: state };
      return;
    }
    this.#seen = stamp;
    on.failed(state);
  }

  /** All files of one moment: when one of them changed meanwhile, they are read again. What is wrong otherwise. */
  async #read(): Promise<Snapshot | string> {
    const { certificate, key, roots } = this.#files;
    const paths = [certificate, key, ...(roots === undefined ? [] : [roots])];
    for (let attempt = 0; ; attempt++) {
      const stamp = await stampOf(paths);
      if (typeof stamp !== 'string') return stamp.fault;
      if (stamp === this.#seen) return { stamp, certificate: '', key: '', roots: undefined };
      try {
        const [certificatePem = '', keyPem = '', rootsPem] = await Promise.all(
          paths.map((path) => readFile(path, 'utf8')),
        );
        const after = await stampOf(paths);
        if (after === stamp || attempt === 2)
          return { stamp, certificate: certificatePem, key: keyPem, roots: rootsPem };
      } catch (error) {
        if (attempt === 2) return faultOf(error);
      }
    }
  }
}

/** Told apart by what a rename, a write and a swapped link change. */
async function stampOf(paths: readonly string[]): Promise<string | { readonly fault: string }> {
  const marks: string[] = [];
  for (const path of paths) {
    try {
      const { ino, mtimeMs, ctimeMs, size } = await stat(path);
      marks.push(`${ino} ${mtimeMs} ${ctimeMs} ${size}`);
    } catch (error) {
      return { fault: faultOf(error) };
    }
  }
  return marks.join('|');
}

/** Node's message names the file. */
const faultOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function stateOf({ certificate, key, roots }: Snapshot, files: IdentityFiles): SourceState | string {
  const own = readKey(key);
  if (typeof own === 'string') return `${files.key}: ${own}`;
  const svid = readSvid(certificate, own);
  if (typeof svid === 'string') return `${files.certificate} with ${files.key}: ${svid}`;
  if (roots === undefined) return { svid, bundles: createBundles([]) };
  // Lists may stand beside the roots; a file that begins none has none to be found unreadable.
  const lists = roots.includes('BEGIN X509 CRL') ? [roots] : [];
  const bundles = createBundles([[svid.id.trustDomain, [roots]]], lists);
  return bundles.trustDomains.length === 0 ? `${files.roots}: there is no PEM certificate in it` : { svid, bundles };
}
