import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createXdsServer } from '../embedded.ts';
import { problemLine } from '../schema/problem.ts';
import type { Source } from '../schema/types.ts';
import { watchFiles } from '../source/files.ts';
import { withMeshConfig } from '../source/mesh-config.ts';
import { type Command, plural, required, UsageError } from './usage.ts';

const usage = `inmesh check --config DIR [--mesh-config FILE] [--retry-attempts retries|calls]

Reads DIR as the control plane does and prints every located error and warning:
  file:line: Kind namespace/name: field path: what is wrong, what is allowed
Exit code 1 where there is an error.`;

/** A folder that exists; anything else is a mistake of the caller. */
export async function folderOf(value: string | undefined): Promise<string> {
  const folder = required(value, '--config');
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new UsageError(`--config: ${folder} does not exist`);
  if (!found.isDirectory()) throw new UsageError(`--config: ${folder} is not a folder`);
  return folder;
}

/** Of every command that reads a folder. */
export const CONFIG_OPTIONS = {
  config: { type: 'string' },
  'mesh-config': { type: 'string' },
  'retry-attempts': { type: 'string', default: 'retries' },
} as const;

/** The one switch for what `attempts: N` means. */
export function retryAttemptsOf(value: string): 'retries' | 'calls' {
  if (value === 'retries' || value === 'calls') return value;
  throw new UsageError(`--retry-attempts: got "${value}", want retries or calls`);
}

/** The folder, with Istio's MeshConfig from a file where one is named (in a cluster it is the ConfigMap istio). */
export const sourceOf = (folder: string, meshConfig: string | undefined): Source =>
  meshConfig === undefined ? watchFiles(folder) : withMeshConfig(watchFiles(folder), meshConfig);

export const check: Command = {
  summary: 'prints every error and warning of a folder, exit code 1 on an error',
  usage,
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: CONFIG_OPTIONS });
    const retryAttempts = retryAttemptsOf(values['retry-attempts']);
    const source = sourceOf(await folderOf(values.config), values['mesh-config']);
    const server = createXdsServer({ source, retryAttempts });
    try {
      await server.start();
      const problems = server.problems();
      for (const problem of problems) process.stdout.write(`${problemLine(problem)}\n`);
      const errors = problems.filter(({ severity }) => severity === 'error').length;
      const warnings = problems.filter(({ severity }) => severity === 'warning').length;
      process.stdout.write(
        `${plural(server.summary().objects, 'object')}, ${plural(errors, 'error')}, ${plural(warnings, 'warning')}\n`,
      );
      return errors > 0 ? 1 : 0;
    } finally {
      await server.close();
    }
  },
};
