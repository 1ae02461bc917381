/** Every default of the control plane, once, with its unit and source; printed into `docs/reference/defaults.md`. */
export interface Default {
  readonly value: number;
  readonly unit: 'ms' | 'count' | 'bytes' | 'percent';
  readonly source: string;
  readonly meaning: string;
}

const entry = (value: number, unit: Default['unit'], source: string, meaning: string): Default => ({
  value,
  unit,
  source,
  meaning,
});

export const DEFAULTS = {
  fileBytes: entry(16_777_216, 'bytes', 'Inmesh', 'a larger configuration file is not read'),
  fileDocuments: entry(20_000, 'count', 'Inmesh', 'documents read of one configuration file'),
  yamlAliases: entry(100, 'count', 'yaml maxAliasCount', 'expansions of YAML anchors in one document'),
  yamlDepth: entry(64, 'count', 'Inmesh', 'levels of nesting in one document'),
  fileBatchMs: entry(20, 'ms', 'Inmesh', 'quiet time before changed files are read together'),
  fileShrinkMs: entry(250, 'ms', 'Inmesh', 'how long a file that lost its end is taken for one being written'),
  fileSweepMs: entry(2_000, 'ms', 'Inmesh', 'between looks at the whole folder, for changes the platform did not tell'),
} as const satisfies Record<string, Default>;

export type DefaultName = keyof typeof DEFAULTS;

export const defaultOf = (name: DefaultName): number => DEFAULTS[name].value;
