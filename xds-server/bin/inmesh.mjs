#!/usr/bin/env node
// The `inmesh` command. Built packages run dist; a clone runs its sources unbuilt, on the workspace's Node 24 where the running Node is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const built = path.join(folder, 'dist', 'main.js');
const unbuilt = existsSync(path.join(folder, 'tsconfig.build.json')) || !existsSync(built);
const entry = pathToFileURL(unbuilt ? path.join(folder, 'src', 'main.ts') : built).href;

const [major, minor] = process.versions.node.split('.').map(Number);
const newEnough = major > 22 || (major === 22 && minor >= 19);

/** Node 24 from its platform package in the workspace. */
function workspaceNode() {
  const require = createRequire(path.join(folder, 'package.json'));
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const file = path.join(path.dirname(require.resolve(`${name}/package.json`)), 'bin', platform === 'win' ? 'node.exe' : 'node');
      if (existsSync(file)) return file;
    } catch {}
  }
  return undefined;
}

/** The same command on a newer Node. It ends when this process is gone, killed or not: nobody else knows of it. */
function handOver(node) {
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 1);
  });
}

async function run() {
  if (unbuilt) {
    // The workspace's packages export their sources under this condition.
    module.registerHooks({
      resolve: (specifier, context, next) => next(specifier, { ...context, conditions: [...context.conditions, 'source'] }),
    });
  }
  if (process.channel) {
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
    process.channel.unref();
  }
  const { main } = await import(entry);
  process.exitCode = await main(process.argv.slice(2));
}

if (newEnough) await run();
else {
  const node = workspaceNode();
  if (node === undefined) {
    process.stderr.write(`inmesh needs Node 22.19 or newer, this is ${process.versions.node}\n`);
    process.exitCode = 1;
  } else handOver(node);
}
