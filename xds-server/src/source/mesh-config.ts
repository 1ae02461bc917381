import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { defaultOf } from '../defaults.ts';
import { MESH_CONFIG_MAP } from '../schema/object.ts';
import { parseText } from '../schema/parse.ts';
import type { AnyObject, ChangeEvent, ObjectKey, Problem, Source, SourceObserver } from '../schema/types.ts';

/** Istio's MeshConfig as a file of its own: its fields stand at the top, nothing is around them. */
export interface ParsedMeshConfig {
  /** The ConfigMap that it stands for; absent where something is wrong. */
  readonly object?: AnyObject;
  readonly problems: readonly Problem[];
}

const KEY: ObjectKey = `ConfigMap/${MESH_CONFIG_MAP}`;

const [NAMESPACE, NAME] = MESH_CONFIG_MAP.split('/');

/** The lines of a ConfigMap above its text; `|2` because that text may begin with spaces of its own. */
const FRAME = [
  'apiVersion: v1',
  'kind: ConfigMap',
  `metadata: { name: ${NAME}, namespace: ${NAMESPACE} }`,
  'data:',
  '  mesh: |2',
];

const PREFIX = 'data.mesh';

/** Reads the text of a MeshConfig file; places are those of the file. */
export const parseMeshConfig = (text: string, file: string): ParsedMeshConfig => {
  const indented = text.replace(/^\uFEFF/, '').replace(/^(?=.)/gm, '    ');
  const { objects, problems } = parseText(`${FRAME.join('\n')}\n${indented}\n`, file);
  const [object] = objects;
  return {
    ...(object && { object: { ...object, origin: { file, line: (path) => lineOf(object.origin.line(path)) } } }),
    problems: problems.map(({ object: _, fieldPath = '', ...problem }) => ({
      ...problem,
      line: lineOf(problem.line),
      object: 'MeshConfig',
      fieldPath: fieldPath.startsWith(PREFIX) ? fieldPath.slice(PREFIX.length + 1) : fieldPath,
    })),
  };
};

const lineOf = (line: number): number => Math.max(1, line - FRAME.length);

/** `source` with the MeshConfig of a file in the place of its ConfigMap `istio`. Edits are followed; a wrong one changes nothing. */
export const withMeshConfig = (source: Source, file: string): Source => new MeshConfigSource(source, file);

class MeshConfigSource implements Source {
  readonly #source: Source;
  readonly #file: string;
  readonly #changed = (): void => void this.#read();
  #on: SourceObserver | undefined;
  #hash: string | undefined;
  #problems: readonly Problem[] = [];
  #others: readonly Problem[] = [];

  constructor(source: Source, file: string) {
    this.#source = source;
    this.#file = file;
  }

  async start(on: SourceObserver): Promise<void> {
    const first = parseMeshConfig(await readFile(this.#file, 'utf8'), this.#file);
    this.#problems = first.problems;
    this.#hash = first.object?.contentHash;
    let started = false;
    await this.#source.start({
      change: (events) => {
        const own: ChangeEvent[] =
          started || first.object === undefined ? [] : [{ kind: 'upsert', object: first.object }];
        started = true;
        on.change([...own, ...events.filter((event) => keyOf(event) !== KEY)]);
      },
      problems: (list) => {
        this.#others = list;
        this.#tell(on);
      },
    });
    this.#on = on;
    watchFile(this.#file, { interval: defaultOf('fileSweepMs'), persistent: false }, this.#changed);
  }

  async refresh(): Promise<void> {
    await this.#read();
    await this.#source.refresh?.();
  }

  close(): void {
    this.#on = undefined;
    unwatchFile(this.#file, this.#changed);
    this.#source.close();
  }

  async #read(): Promise<void> {
    const read = await readFile(this.#file, 'utf8').then(
      (text) => parseMeshConfig(text, this.#file),
      (error: unknown) => ({ problems: [unreadable(this.#file, error)] }) satisfies ParsedMeshConfig,
    );
    const on = this.#on;
    if (on === undefined) return;
    const { object, problems }: ParsedMeshConfig = read;
    if (object !== undefined && object.contentHash !== this.#hash) {
      this.#hash = object.contentHash;
      on.change([{ kind: 'upsert', object }]);
    }
    this.#problems = problems;
    this.#tell(on);
  }

  #tell(on: SourceObserver): void {
    on.problems([...this.#problems, ...this.#others]);
  }
}

const keyOf = (event: ChangeEvent): ObjectKey => (event.kind === 'upsert' ? event.object.key : event.key);

const unreadable = (file: string, error: unknown): Problem => ({
  severity: 'error',
  file,
  line: 1,
  object: 'MeshConfig',
  message: `cannot be read, the last good version stays: ${error instanceof Error ? error.message : String(error)}`,
});
