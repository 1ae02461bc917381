import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What is asked of Go's header tables: `limits` is what the encoder's peer allows, `sizes` what it makes of it. */
export interface Question {
  readonly reset?: boolean;
  readonly limits?: readonly number[];
  readonly sizes?: readonly number[];
  /** To encode: name, value, whether it is a secret. Flat lists have it from their encoder. */
  readonly fields?: readonly (readonly [name: string, value: string, isSecret: boolean])[];
  readonly block?: Uint8Array;
}

export interface Answer {
  readonly block: Buffer;
  readonly fields: string[];
  /** Those that are in no table further on. */
  readonly secrets: string[];
  readonly error: string | undefined;
}

/** golang.org/x/net/http2/hpack in a process of its own. */
export class GoTables {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(binary: string) {
    const child = spawn(binary, ['hpack'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async ask({ reset = false, limits = [], sizes = [], fields = [], block }: Question): Promise<Answer> {
    const line = {
      ...{ reset, limits, sizes, hex: block === undefined ? null : Buffer.from(block).toString('hex') },
      fields: fields.map(([name, value, isSecret]) => [name, hexOf(value), String(isSecret)]),
    };
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('Go has ended');
    const answer = JSON.parse(value as string) as { hex: string; fields: [string, string, string][]; error?: string };
    return {
      block: Buffer.from(answer.hex, 'hex'),
      fields: answer.fields.flatMap(([name, text]) => [textOf(name), textOf(text)]),
      secrets: answer.fields.filter(([, , isSecret]) => isSecret === 'true').map(([name]) => textOf(name)),
      error: answer.error,
    };
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const textOf = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');
