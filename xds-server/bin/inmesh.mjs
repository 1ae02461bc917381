#!/usr/bin/env node
// The `inmesh` command. Built packages run dist; a clone runs its sources unbuilt, on the workspace's Node 24 where the running Node is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const built = path.join(folder, 'dist', 'main.js');
const source = path.join(folder, 'src', 'main.ts');
const isClone = existsSync(path.join(folder, 'tsconfig.build.json'));
const runsSources = isClone || !existsSync(built);
const entry = pathToFileURL(runsSources ? source : built).href;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > 22 || (major === 22 && minor >= 19);

/** Packages of the workspace resolve to their sources, as with --conditions=source. */
function resolveSources() {
  nodeModule.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, 'source'] }),
  });
}

function workspaceNode() {
  const require = nodeModule.createRequire(path.join(folder, 'package.json'));
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const bin = path.join(path.dirname(require.resolve(`${name}/package.json`)), 'bin');
      const file = path.join(bin, platform === 'win' ? 'node.exe' : 'node');
      if (existsSync(file)) return file;
    } catch {}
  }
  return undefined;
}

/** In another Node. It ends when this process ends, however that happens: the channel between the two breaks. */
function runIn(node) {
  const flags = runsSources ? ['--conditions=source', '--disable-warning=ExperimentalWarning'] : [];
  const script = `
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
const { main } = await import(${JSON.stringify(entry)});
process.exitCode = await main(process.argv.slice(1));`;
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };
  const args = [...flags, '--input-type=module', '--eval', script, '--', ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  });
}

const node = isNewEnough && (major >= 24 || !runsSources) ? undefined : workspaceNode();
if (node !== undefined) runIn(node);
else if (isNewEnough) {
  if (runsSources) resolveSources();
  const { main } = await import(entry);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(`inmesh needs Node 22.19 or newer, this is ${process.versions.node}\n`);
  process.exitCode = 1;
}
