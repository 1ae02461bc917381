import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface GoServer {
  /** In clear. */
  readonly port: number;
  readonly securePort: number;
  /** Of its certificate, for `example.com`. */
  readonly ca: string;
  close(): void;
}

/** net/http's server of test/go-peers/http2. */
export async function goServer(binary: string, args: readonly string[] = []): Promise<GoServer> {
  const child = spawn(binary, ['serve', ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [plain, secure, certificate] = line.split(' ');
  return {
    port: Number(plain),
    securePort: Number(secure),
    ca: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----`,
    close: () => void child.kill('SIGKILL'),
  };
}
