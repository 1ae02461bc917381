import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** `inmesh serve` as a process of its own, over a folder that the soak edits. */
const BIN = fileURLToPath(new URL('../../xds-server/bin/inmesh.mjs', import.meta.url));

export class ControlPlane implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'inmesh-soak-'));
  #child: ChildProcess | undefined;
  xds = '127.0.0.1:0';

  /** Replaces the configuration as a whole, as an editor does. */
  write(text: string): void {
    const fresh = path.join(this.#folder, '.mesh.tmp');
    writeFileSync(fresh, text);
    renameSync(fresh, path.join(this.#folder, 'mesh.yaml'));
  }

  async start(): Promise<void> {
    const args = [BIN, 'serve', '--config', this.#folder, '--xds', this.xds, '--admin', '127.0.0.1:0'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk;
      const address = /INMESH_XDS=(\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once('exit', (code) => reject(new Error(`inmesh serve exited with ${code}: ${text}`)));
    this.xds = await promise;
  }

  /** Without a word of goodbye. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    await new Promise<void>((gone) => {
      child.once('exit', () => gone());
      child.kill('SIGKILL');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
