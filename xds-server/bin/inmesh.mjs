#!/usr/bin/env node
// The `inmesh` command. Built packages run dist; a clone runs its sources unbuilt, on the workspace's Node 24 where the running Node is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const built = path.join(folder, 'dist', 'main.js');
const source = path.join(folder, 'src', 'main.ts');
const clone = existsSync(path.join(folder, 'tsconfig.build.json'));
const entry = clone || !existsSync(built) ? source : built;

const [major, minor] = process.versions.node.split('.').map(Number);
const newEnough = major > 22 || (major === 22 && minor >= 19);
const sources = entry === source;

function workspaceNode() {
  const require = createRequire(path.join(folder, 'package.json'));
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const file = path.join(
        path.dirname(require.resolve(`${name}/package.json`)),
        'bin',
        platform === 'win' ? 'node.exe' : 'node',
      );
      if (existsSync(file)) return file;
    } catch {}
  }
  return undefined;
}

if (!sources && newEnough) {
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  const node =
    newEnough && major >= 24 ? process.execPath : (workspaceNode() ?? (newEnough ? process.execPath : undefined));
  if (node === undefined) {
    process.stderr.write(`inmesh needs Node 22.19 or newer, this is ${process.versions.node}\n`);
    process.exit(1);
  }
  const flags = sources ? ['--conditions=source', '--disable-warning=ExperimentalWarning'] : [];
  const script = `import { main } from ${JSON.stringify(pathToFileURL(entry).href)}; process.exitCode = await main(process.argv.slice(1));`;
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(node, [...flags, '--input-type=module', '--eval', script, '--', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + 15 : (code ?? 1);
  });
}
